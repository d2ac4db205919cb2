/* A library that says the whole ABI in its debug information, for abidiff: it has one function for each
 * struct of cape/plugin.h, and holds every function of cape/ping.h. Nothing of it runs. abidiff compares what
 * exported functions take, so a struct that is only reached through others has one all the same.
 */
#include <cape/ping.h>
#include <cape/plugin.h>

struct cape_ping_functions {
  __typeof__(&cape_ping_connect) connect;
  __typeof__(&cape_ping) ping;
  __typeof__(&cape_ping_wait) wait;
  __typeof__(&cape_ping_ready) ready;
  __typeof__(&cape_ping_dropped) dropped;
  __typeof__(&cape_ping_close) close;
  __typeof__(&cape_ping_error) error;
};

#define TAKES(type)                   \
  void cape_abi_##type(type* given);  \
  void cape_abi_##type(type* given) { \
    (void)given;                      \
  }
TAKES(cape_status)
TAKES(cape_bytes)
TAKES(cape_note)
TAKES(cape_input)
TAKES(cape_event)
TAKES(cape_lambda)
TAKES(cape_source)
TAKES(cape_source_query)
TAKES(cape_source_batch)
TAKES(cape_host)
TAKES(cape_call)
TAKES(cape_entry)
TAKES(cape_ping_code)
TAKES(cape_ping_options)
typedef struct cape_ping_functions cape_ping_functions;
TAKES(cape_ping_functions)
