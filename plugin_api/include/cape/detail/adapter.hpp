// cape/detail/adapter.hpp - the edge between C++ plugins and the C ABI. Not for direct use.
#ifndef CAPE_DETAIL_ADAPTER_HPP
#define CAPE_DETAIL_ADAPTER_HPP

#include <cape/plugin.h>
#include <cape/config.hpp>
#include <cape/host.hpp>
#include <cape/outcome.hpp>

#include <cstring>
#include <exception>
#include <new>
#include <string_view>
#include <type_traits>

namespace cape {
inline namespace plugin_v1 {
namespace detail {

// Runs `body` and turns whatever it throws into a status; `report(status, reason, app_code)` hears why.
// Nothing is allocated on the way out, so that running out of memory is reported as what it is.
template <class Body, class Report>
cape_status guarded(Body&& body, Report&& report) {
  const auto end = [&](cape_status status, std::string_view reason, std::int32_t app_code) {
    report(status, reason, app_code);
    return status;
  };
  try {
    return body();
  } catch (const Failure& failure) {
    return end(failure.outcome().status(), failure.outcome().reason(), failure.outcome().app_code());
  } catch (const ConfigError& error) {
    return end(CAPE_BAD_CONFIG, error.what(), 0);
  } catch (const std::bad_alloc&) {
    return end(CAPE_NO_MEMORY, "the plugin ran out of memory", 0);
  } catch (const std::exception& error) {
    return end(CAPE_RETRY, error.what(), 0);
  } catch (...) {
    return end(CAPE_RETRY, "the plugin threw something that is not a std::exception", 0);
  }
}

// Hands reason and code of `outcome` to the host and returns its status.
inline cape_status settle(cape_call* call, std::uint32_t index, const Outcome& outcome) {
  if (!outcome.reason().empty() || outcome.app_code() != 0) {
    call->set_error(call, index, outcome.app_code(), bytes_of(outcome.reason()));
  }
  return outcome.status();
}

// guarded() for a call: reasons go to set_error of event `index`.
template <class Body>
cape_status guarded_call(cape_call* call, std::uint32_t index, Body&& body) {
  return guarded(body, [&](cape_status, std::string_view why, std::int32_t app_code) {
    call->set_error(call, index, app_code, bytes_of(why));
  });
}

template <class T>
T construct(const Config& config, const Host& host) {
  if constexpr (std::is_constructible_v<T, const Config&, const Host&>) {
    return T(config, host);
  } else if constexpr (std::is_constructible_v<T, const Config&>) {
    return T(config);
  } else {
    static_assert(
        std::is_default_constructible_v<T>,
        "a plugin class is made from (const cape::Config&, const cape::Host&), (const cape::Config&) or ()");
    return T();
  }
}

// What `self` points at. The host stands first, so a plugin may keep a reference to it.
template <class T>
struct Instance {
  Host host;
  T plugin;
  Instance(const cape_host* table, cape_bytes config)
      : host(table), plugin(construct<T>(Config(table, config), host)) {}
};

template <class T>
cape_status create(const cape_host* host, cape_bytes config, void** self) {
  return guarded(
      [&] {
        *self = new Instance<T>(host, config);
        return CAPE_OK;
      },
      [&](cape_status, std::string_view why, std::int32_t) { Host(host).log(CAPE_LOG_ERROR, why); });
}

template <class T>
void destroy(void* self) {
  delete static_cast<Instance<T>*>(self);
}

template <class T>
Instance<T>& instance_of(void* self) {
  return *static_cast<Instance<T>*>(self);
}

}  // namespace detail
}  // namespace plugin_v1
}  // namespace cape

// Picks between the forms with and without wishes: C++17 has no __VA_OPT__.
#define CAPE_PICK_(type, id, version, wants, form, ...) form

#define CAPE_ENTRY_(factory_id, table)                                                                    \
  static const void* cape_get_factory_(const char* asked) {                                               \
    return asked != nullptr && std::strcmp(asked, factory_id) == 0 ? &(table) : nullptr;                  \
  }                                                                                                       \
  extern "C" {                                                                                            \
  extern CAPE_EXPORT const cape_entry cape_entry_v1;                                                      \
  const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, nullptr, nullptr, \
                                    cape_get_factory_};                                                   \
  }

#endif  // CAPE_DETAIL_ADAPTER_HPP
