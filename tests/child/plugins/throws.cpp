// A lambda in plain C++ whose exceptions cross the ABI, as careless ones do: the payload says which.
#include <cape/plugin.h>

#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

CAPE_MANIFEST("throws", "1.0.0", CAPE_KIND_LAMBDA, 0);

namespace {

cape_status create(const cape_host*, cape_bytes, void** self) { return *self = nullptr, CAPE_OK; }

cape_status process(void*, cape_call*, const cape_event* event) {
  const std::string act(reinterpret_cast<const char*>(event->payload.ptr), event->payload.len);
  if (act == "runtime_error") throw std::runtime_error("the index is locked");
  if (act == "bad_alloc") throw std::bad_alloc();
  if (act == "int") throw 42;
  return CAPE_OK;
}

void destroy(void*) {}

const cape_lambda lambda{sizeof(cape_lambda), 0, create, process, nullptr, nullptr, destroy, nullptr};
const void* get_factory(const char* id) { return std::strcmp(id, CAPE_FACTORY_LAMBDA) == 0 ? &lambda : nullptr; }

}  // namespace

extern "C" const cape_entry cape_entry_v1 = {sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR,
                                             nullptr,            nullptr,        get_factory};
