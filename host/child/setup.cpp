#include "host/child/setup.hpp"

#include <exception>
#include <msgpack.hpp>

namespace cape::child {
namespace {

// One list for both directions: `visit` sees every field once, always in this order.
template <class SetupT, class Visit>
void each_field(SetupT& s, Visit visit) {
  visit(s.kind), visit(s.plugin_file), visit(s.plugin_hash), visit(s.plugin_id);
  visit(s.domain), visit(s.topology), visit(s.lambda), visit(s.config_json);
  visit(s.drill), visit(s.working_dir), visit(s.read), visit(s.write), visit(s.code), visit(s.state_dir);
  visit(s.network);
  visit(s.inner_uid), visit(s.inner_gid), visit(s.root_host), visit(s.namespaces), visit(s.own_uid);
  visit(s.replay);
  visit(s.cgroup_version), visit(s.cgroup_missing);
  visit(s.require_level), visit(s.memory_bytes), visit(s.file_bytes), visit(s.ring_bytes);
  visit(s.payload_bytes_max), visit(s.threads), visit(s.files), visit(s.output_bytes),
      visit(s.log_lines_per_s);
  visit(s.timeout_ns), visit(s.timeout_max_ns);
  visit(s.seccomp_guard), visit(s.seccomp_load), visit(s.seccomp_run);
}

std::uint32_t field_count() {
  std::uint32_t count = 0;
  Setup setup;
  each_field(setup, [&](auto&) { ++count; });
  return count;
}

}  // namespace

std::string Setup::encode() const {
  msgpack::sbuffer buffer;
  msgpack::packer<msgpack::sbuffer> packer(buffer);
  packer.pack_array(field_count());
  each_field(*this, [&](const auto& field) { packer.pack(field); });
  return {buffer.data(), buffer.size()};
}

Result<Setup> Setup::decode(std::string_view bytes) {
  try {
    const msgpack::object_handle handle = msgpack::unpack(bytes.data(), bytes.size());
    const msgpack::object& object = handle.get();
    if (object.type != msgpack::type::ARRAY || object.via.array.size != field_count())
      return fail(ErrorCode::protocol, "the setup of the child is of another release: reinstall Cape");
    Setup setup;
    const msgpack::object* next = object.via.array.ptr;
    each_field(setup, [&](auto& field) { (next++)->convert(field); });
    return setup;
  } catch (const std::exception& mistake) {  // msgpack::unpack_error, msgpack::type_error, bad_alloc
    return fail(ErrorCode::protocol, std::string("the setup of the child cannot be read: ") + mistake.what());
  }
}

}  // namespace cape::child
