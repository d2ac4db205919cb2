// Lets an exception escape on the check's own subject; else it is right.
#include <cape/plugin.h>

#include <cstring>
#include <stdexcept>
#include <string_view>

CAPE_MANIFEST("check_guest", "1.0.0", CAPE_KIND_LAMBDA, 0);

namespace {

cape_status create(const cape_host*, cape_bytes, void** self) {
  return *self = nullptr, CAPE_OK;
}
cape_status process(void*, cape_call*, const cape_event* event) {
  const std::string_view subject(reinterpret_cast<const char*>(event->subject.ptr), event->subject.len);
  if (subject == "exceptions") throw std::runtime_error("nobody caught it");
  return CAPE_OK;
}
void destroy(void*) {}
const cape_lambda lambda{sizeof(cape_lambda), 0, create, process, nullptr, nullptr, destroy, nullptr};
const void* get_factory(const char* id) {
  return std::strcmp(id, CAPE_FACTORY_LAMBDA) == 0 ? &lambda : nullptr;
}

}  // namespace

extern "C" const cape_entry cape_entry_v1 = {
    sizeof(cape_entry), CAPE_ABI_MAJOR, CAPE_ABI_MINOR, nullptr, nullptr, get_factory};
