/* A service over cape/ping.h alone, as C99 and as C++11: every function, with its types as they were released. */
#include "layout.h"

cape_ping_code ping_once(const char* data_dir, uint64_t* dropped, const char** why);

cape_ping_code ping_once(const char* data_dir, uint64_t* dropped, const char** why) {
  cape_ping_options options = {sizeof(cape_ping_options), 0, NULL, NULL, NULL, NULL, NULL, NULL};
  cape_ping_client* client = NULL;
  cape_ping_code code;
  options.data_dir = data_dir;
  code = cape_ping_connect(&options, &client);
  if (code == CAPE_PING_OK) code = cape_ping_ready(client, (int64_t)1000);
  if (code == CAPE_PING_OK) code = cape_ping(client, "orders", "order/17", (int64_t)0);
  if (code == CAPE_PING_OK) code = cape_ping_wait(client, "orders", "order/17", (int64_t)0, (int64_t)1000);
  *why = cape_ping_error();
  *dropped = cape_ping_dropped(client);
  cape_ping_close(client);
  return code;
}
