/* cape/ping.h - tells a Cape broker "look at this subject", from a service in C or anything that calls C.
 *
 * A ping is a hint. It may be lost, doubled or late: Cape's refresh scan finds what no ping told about. So
 * commit to your own database first, send the ping behind it, and go on.
 *
 *   cape_ping_options options = {sizeof options};
 *   options.data_dir = "/srv/shop/data";
 *   cape_ping_client *client;
 *   if (cape_ping_connect(&options, &client) != CAPE_PING_OK) puts(cape_ping_error());
 *   cape_ping(client, "orders", "order/17", 0);
 *   cape_ping_close(client);
 *
 * Threads: a client serves one thread at a time, and no child of a fork; threads have a client each. A client
 * owns one thread of ZeroMQ's and a few file descriptors. No signal handler, no global state.
 *
 * Link with -lcape-ping. This header is C99 and C++11 clean. New functions are added, none changes: the
 * soname does as soon as one would.
 */
#ifndef CAPE_PING_H
#define CAPE_PING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CAPE_PING_API __attribute__((visibility("default")))
#else
#define CAPE_PING_API
#endif

/* What a call answers; cape_ping_error() has the text of all but OK. Codes may be added. */
typedef int32_t cape_ping_code;
#define CAPE_PING_OK 0
#define CAPE_PING_BUSY 1    /* the broker kept nothing: try again in a moment, or leave it to refresh */
#define CAPE_PING_REFUSED 2 /* the broker knows no such domain; trying again does not help */
#define CAPE_PING_UNAVAILABLE (-1) /* no broker, or none that took it in time */
#define CAPE_PING_INVALID (-2)     /* an argument is malformed; nothing was sent */
#define CAPE_PING_FAILED (-3)      /* memory, ZeroMQ, or an answer that is none */

typedef struct cape_ping_client cape_ping_client;

/* All strings are copied. What is NULL or 0 is not set. */
typedef struct cape_ping_options {
  uint32_t struct_size; /* sizeof(cape_ping_options) */
  int32_t linger_ms;    /* how long close may wait for pings on their way; 0 for a service */
  const char* data_dir; /* absolute; stands for its run/push.sock and run/ping.sock */
  const char* push;     /* instead: endpoints as in [listen] of cape.toml, ipc:///PATH or tcp://HOST:PORT */
  const char* ping;
  /* CURVE keys as 40 characters of Z85, all three or none; for tcp. A host that is not loopback needs them:
   * broker.public, ping.public and ping.secret of `cape keys new`. */
  const char* server_public;
  const char* public_key;
  const char* secret_key;
} cape_ping_options;

/* Makes *client. Returns at once, whether or not a broker runs; the client connects, and connects again, by
 * itself. INVALID: the options; FAILED: ZeroMQ cannot start. *client is then NULL. */
CAPE_PING_API cape_ping_code cape_ping_connect(const cape_ping_options* options, cape_ping_client** client);

/* Fire and forget; never blocks. `domain`: a-z, 0-9, _; at most 63 bytes. `subject`: 1 to 255 bytes of UTF-8.
 * `hint`: the newest sequence you know of; 0: none. UNAVAILABLE: dropped and counted, because no broker is
 * connected yet (connecting takes a moment) or 10,000 pings wait for it. */
CAPE_PING_API cape_ping_code cape_ping(cape_ping_client* client, const char* domain, const char* subject,
                                       int64_t hint);

/* Sends and waits for the broker's answer, at most `timeout_ms`. OK: the ping is on disk and survives a crash
 * of the broker. BUSY, REFUSED: as above. UNAVAILABLE: no answer in time (at once where nobody listens on an
 * ipc socket); whether the ping arrived is not known, and sending it again is safe. */
CAPE_PING_API cape_ping_code cape_ping_wait(cape_ping_client* client, const char* domain, const char* subject,
                                            int64_t hint, int64_t timeout_ms);

/* Waits until cape_ping finds a broker, at most `timeout_ms`. For a command that ends right after its pings.
 */
CAPE_PING_API cape_ping_code cape_ping_ready(cape_ping_client* client, int64_t timeout_ms);

/* How many pings of this client cape_ping has dropped. */
CAPE_PING_API uint64_t cape_ping_dropped(const cape_ping_client* client);

/* NULL is allowed. Waits at most linger_ms. */
CAPE_PING_API void cape_ping_close(cape_ping_client* client);

/* Why this thread's last call was not OK: a sentence, never NULL; valid until its next call of this library.
 */
CAPE_PING_API const char* cape_ping_error(void);

#ifdef __cplusplus
}
#endif
#endif /* CAPE_PING_H */
