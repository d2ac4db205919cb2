/* tests/plugin_api/layout.h - ABI 1 as numbers. Every offset and size stands in layout_lists.h as it was
 * released: a change that fails here would break plugins that are already built. A new field goes behind the
 * last one, and its line with it; sizes of tables may then grow, nothing else may change.
 *
 * Compiled as C and C++, 64-bit. C99 has no static_assert: an array of negative size says the same.
 */
#ifndef CAPE_TEST_LAYOUT_H
#define CAPE_TEST_LAYOUT_H

#include <cape/ping.h>
#include <cape/plugin.h>

#if defined(__cplusplus)
#define HOLDS(condition) static_assert(condition, #condition)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define HOLDS(condition) _Static_assert(condition, #condition)
#else
#define HOLDS_NAMED_(condition, line) extern char holds_in_line_##line[(condition) ? 1 : -1]
#define HOLDS_AT_(condition, line) HOLDS_NAMED_(condition, line)
#define HOLDS(condition) HOLDS_AT_(condition, __LINE__)
#endif
#define AT(type, field, offset) HOLDS(offsetof(type, field) == (offset))
#define SIZE(type, bytes) HOLDS(sizeof(type) == (bytes))
#define VALUE(name, value) HOLDS((name) == (value))

#include "layout_lists.h"

#endif /* CAPE_TEST_LAYOUT_H */
