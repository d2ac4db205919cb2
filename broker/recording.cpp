#include "broker/recording.hpp"

#include <cstdio>
#include <fstream>
#include <sstream>
#include <utility>
#include <variant>

#include <msgpack.hpp>

#include "core/log.hpp"
#include "storage/cursor_info.hpp"

namespace cape::broker {
namespace {

using scheduler::Input;
using Packer = msgpack::packer<msgpack::sbuffer>;

template <class... Fields>
void put(Packer& out, const Fields&... fields) {
  (out.pack(fields), ...);
}

void put_block(Packer& out, const EventBlock& block) {
  out.pack_array(4);
  put(out, block.proven_from, block.proven_to, block.bytes);
  out.pack_array(static_cast<std::uint32_t>(block.entries.size()));
  for (const EventBlock::Entry& e : block.entries) {
    out.pack_array(6);
    put(out, e.sequence, e.time_ns, e.type_offset, e.type_bytes, e.payload_offset, e.payload_bytes);
  }
}

void put_stored(Packer& out, const std::optional<storage::CursorInfo>& stored) {
  if (!stored) {
    out.pack_nil();
    return;
  }
  out.pack_array(static_cast<std::uint32_t>(1 + 2 * stored->starts.size()));
  out.pack(storage::encode(*stored));
  for (const storage::FixedStart& start : stored->starts) put(out, start.topology, start.cursor);
}

struct PutInput {
  Packer& out;
  void head(std::uint32_t type, std::uint32_t fields) const {
    out.pack_array(fields + 1);
    out.pack(type);
  }
  void operator()(const scheduler::SchedulingRequest& r) const {
    head(0, 13);
    put(out, r.subject, r.domain, r.name);
    put_stored(out, r.stored);
    put(out, r.latest);
    put_block(out, *r.block);
    put(out, r.ping_ns, r.inbox_generation, r.first, r.last, r.whole, r.gone, r.unreadable);
  }
  void operator()(const scheduler::HostUp& h) const {
    head(1, 3);
    put(out, h.host, h.name, h.jobs_max);
  }
  void operator()(const scheduler::HostGone& h) const {
    head(2, 2);
    put(out, h.host, h.clean);
  }
  void operator()(const scheduler::Credit& c) const {
    head(3, 5);
    put(out, c.host, c.lambda, c.jobs_max, c.hash, c.trouble);
  }
  void operator()(const scheduler::Status& s) const {
    const wire::JobStatus& j = s.status;
    head(4, 12);
    put(out, s.host, j.job, j.done_to, j.events_done, static_cast<std::int32_t>(j.end.kind), j.end.reason,
        j.app_code, j.failed_sequence, j.started, j.first_start_ns, j.end_ns);
    out.pack_array(static_cast<std::uint32_t>(j.outputs.size()));
    for (const OutputPtr& output : j.outputs) output ? out.pack(*output) : out.pack_nil();
  }
  void operator()(const scheduler::Heartbeat& h) const {
    head(5, 2);
    put(out, h.host);
    out.pack_array(static_cast<std::uint32_t>(h.running.size()));
    for (const wire::RunningEvent& e : h.running) {
      out.pack_array(2);
      put(out, e.job, e.sequence);
    }
  }
  void operator()(const scheduler::CursorSaved& s) const {
    head(6, 2);
    put(out, s.subject, s.version);
  }
  void operator()(const scheduler::CursorSaveFailed& s) const {
    head(7, 2);
    put(out, s.subject, s.version);
  }
  void operator()(const scheduler::Tick&) const { head(8, 0); }
  void operator()(const scheduler::Command& c) const {
    head(9, 9);
    put(out, c.id, static_cast<std::uint32_t>(c.act), c.topology, c.subject, c.domain, c.name);
    put_stored(out, c.stored);
    put(out, c.sequence, c.reason);
  }
  void operator()(const scheduler::PauseTopology& p) const {
    head(10, 3);
    put(out, p.topology, p.paused, p.reason);
  }
  void operator()(const scheduler::BaselineDone& b) const {
    head(11, 1);
    put(out, b.topology);
  }
  void operator()(const scheduler::EarlierJobs& e) const {
    head(12, 1);
    put(out, e.may_run);
  }
  void operator()(const scheduler::EndShadow& e) const {
    head(13, 1);
    put(out, e.topology);
  }
  void operator()(const scheduler::Split& s) const {
    head(14, 3);
    put(out, s.lambda, s.stable_in_twin, s.share);
  }
  void operator()(const scheduler::ReadFailed& r) const {
    head(15, 1);
    put(out, r.subject);
  }
};

// Reads the elements of one array in order; msgpack throws on a wrong type or a missing element.
class Fields {
 public:
  explicit Fields(const msgpack::object& array) : array_(array) {
    if (array.type != msgpack::type::ARRAY) throw msgpack::type_error();
  }
  const msgpack::object& raw() {
    if (next_ >= array_.via.array.size) throw msgpack::type_error();
    return array_.via.array.ptr[next_++];
  }
  template <class T>
  T get() {
    return raw().as<T>();
  }
  template <class T>
  void into(T& field) {
    field = get<T>();
  }
  std::size_t size() const { return array_.via.array.size; }

 private:
  const msgpack::object& array_;
  std::uint32_t next_ = 0;
};

EventBlockPtr get_block(const msgpack::object& object) {
  Fields in(object);
  auto block = std::make_shared<EventBlock>();
  in.into(block->proven_from);
  in.into(block->proven_to);
  in.into(block->bytes);
  Fields entries(in.raw());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Fields e(entries.raw());
    EventBlock::Entry entry;
    e.into(entry.sequence);
    e.into(entry.time_ns);
    e.into(entry.type_offset);
    e.into(entry.type_bytes);
    e.into(entry.payload_offset);
    e.into(entry.payload_bytes);
    block->entries.push_back(entry);
  }
  return block;
}

std::optional<storage::CursorInfo> get_stored(const msgpack::object& object) {
  if (object.is_nil()) return std::nullopt;
  Fields in(object);
  auto info = storage::decode_cursor_info(in.get<std::string>());
  if (!info) throw msgpack::type_error();
  for (std::size_t i = 1; i + 1 < in.size(); i += 2) {
    auto topology = in.get<std::string>();
    info->starts.push_back({std::move(topology), in.get<Sequence>()});
  }
  return std::move(*info);
}

scheduler::SchedulingRequest get_request(Fields& in) {
  scheduler::SchedulingRequest r;
  in.into(r.subject);
  in.into(r.domain);
  in.into(r.name);
  r.stored = get_stored(in.raw());
  in.into(r.latest);
  r.block = get_block(in.raw());
  in.into(r.ping_ns);
  in.into(r.inbox_generation);
  in.into(r.first);
  in.into(r.last);
  in.into(r.whole);
  in.into(r.gone);
  in.into(r.unreadable);
  return r;
}

OutputPtr get_output(const msgpack::object& object) {
  return object.is_nil() ? nullptr : std::make_shared<const std::string>(object.as<std::string>());
}

scheduler::Status get_status(Fields& in) {
  scheduler::Status s;
  wire::JobStatus& j = s.status;
  in.into(s.host);
  in.into(j.job);
  in.into(j.done_to);
  in.into(j.events_done);
  j.end.kind = static_cast<OutcomeKind>(in.get<std::int32_t>());
  in.into(j.end.reason);
  in.into(j.app_code);
  in.into(j.failed_sequence);
  in.into(j.started);
  in.into(j.first_start_ns);
  in.into(j.end_ns);
  Fields outputs(in.raw());
  for (std::size_t i = 0; i < outputs.size(); ++i) j.outputs.push_back(get_output(outputs.raw()));
  return s;
}

scheduler::Command get_command(Fields& in) {
  scheduler::Command c;
  in.into(c.id);
  c.act = static_cast<scheduler::Act>(in.get<std::uint32_t>());
  in.into(c.topology);
  in.into(c.subject);
  in.into(c.domain);
  in.into(c.name);
  c.stored = get_stored(in.raw());
  in.into(c.sequence);
  in.into(c.reason);
  return c;
}

scheduler::Heartbeat get_heartbeat(Fields& in) {
  scheduler::Heartbeat h;
  in.into(h.host);
  Fields running(in.raw());
  for (std::size_t i = 0; i < running.size(); ++i) {
    Fields e(running.raw());
    const auto job = e.get<JobId>();
    h.running.push_back({job, e.get<Sequence>()});
  }
  return h;
}

Input get_input(const msgpack::object& object) {
  Fields in(object);
  // Braces fix the order in which the fields are read.
  switch (in.get<std::uint32_t>()) {
    case 0:
      return get_request(in);
    case 1:
      return scheduler::HostUp{in.get<scheduler::HostId>(), in.get<std::string>(), in.get<std::uint32_t>()};
    case 2:
      return scheduler::HostGone{in.get<scheduler::HostId>(), in.get<bool>()};
    case 3:
      return scheduler::Credit{in.get<scheduler::HostId>(), in.get<LambdaIndex>(), in.get<std::uint32_t>(),
                               in.get<std::string>(), in.get<std::string>()};
    case 4:
      return get_status(in);
    case 5:
      return get_heartbeat(in);
    case 6:
      return scheduler::CursorSaved{in.get<SubjectId>(), in.get<std::uint64_t>()};
    case 7:
      return scheduler::CursorSaveFailed{in.get<SubjectId>(), in.get<std::uint64_t>()};
    case 8:
      return scheduler::Tick{};
    case 9:
      return get_command(in);
    case 10:
      return scheduler::PauseTopology{in.get<TopologyIndex>(), in.get<bool>(), in.get<std::string>()};
    case 11:
      return scheduler::BaselineDone{in.get<TopologyIndex>()};
    case 12:
      return scheduler::EarlierJobs{in.get<bool>()};
    case 13:
      return scheduler::EndShadow{in.get<TopologyIndex>()};
    case 14:
      return scheduler::Split{in.get<LambdaIndex>(), in.get<bool>(), in.get<std::uint32_t>()};
    case 15:
      return scheduler::ReadFailed{in.get<SubjectId>()};
    default:
      throw msgpack::type_error();
  }
}

class FileRecorder final : public Recorder {
 public:
  FileRecorder(std::ofstream out, std::string file) : out_(std::move(out)), file_(std::move(file)) {}
  void record(Now now, std::span<const Input> inputs) override {
    if (!out_) return;
    msgpack::sbuffer buffer;
    Packer packer(buffer);
    packer.pack_array(3);
    put(packer, now.boot_ns, now.wall_ns);
    packer.pack_array(static_cast<std::uint32_t>(inputs.size()));
    for (const Input& input : inputs) std::visit(PutInput{packer}, input);
    out_.write(buffer.data(), static_cast<std::streamsize>(buffer.size())).flush();
    if (!out_) log::error("broker", "the recording {} ends here: it could not be written", file_);
  }

 private:
  std::ofstream out_;
  std::string file_;
};

}  // namespace

Result<std::unique_ptr<Recorder>> Recorder::open(const std::string& file, std::uint32_t epoch) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  msgpack::sbuffer buffer;
  Packer packer(buffer);
  packer.pack_array(3);
  put(packer, std::string("cape-recording"), 6u, epoch);
  out.write(buffer.data(), static_cast<std::streamsize>(buffer.size()));
  if (!out)
    return fail(ErrorCode::io,
                "cannot write the recording " + file + "; check the path and the space on its disk");
  return std::make_unique<FileRecorder>(std::move(out), file);
}

Result<Recording> read_recording(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  const std::string bytes = text.str();
  if (!in || bytes.empty()) return fail(ErrorCode::io, "cannot read the recording " + file);
  Recording recording;
  std::size_t offset = 0;
  try {
    msgpack::object_handle head = msgpack::unpack(bytes.data(), bytes.size(), offset);
    Fields fields(head.get());
    if (fields.get<std::string>() != "cape-recording" || fields.get<std::uint32_t>() != 6)
      return fail(ErrorCode::invalid, file + " is not a recording of version 6");
    fields.into(recording.epoch);
    while (offset < bytes.size()) {
      msgpack::object_handle object = msgpack::unpack(bytes.data(), bytes.size(), offset);
      Fields step(object.get());
      RecordedStep& added = recording.steps.emplace_back();
      step.into(added.now.boot_ns);
      step.into(added.now.wall_ns);
      Fields inputs(step.raw());
      for (std::size_t i = 0; i < inputs.size(); ++i) added.inputs.push_back(get_input(inputs.raw()));
    }
  } catch (const msgpack::insufficient_bytes&) {  // cut by a kill
  } catch (const std::exception& e) {
    return fail(ErrorCode::invalid, file + " is not a recording of this version: " + e.what());
  }
  return recording;
}

}  // namespace cape::broker
