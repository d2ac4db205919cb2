// serve(): from the confined process to its exit. Every step before ChildReady that fails ends it with
// exit_code_setup and a sentence for a person.
#include <optional>
#include <string>

#include "host/child/runner/config_table.hpp"
#include "host/child/runner/drill.hpp"
#include "host/child/runner/guard.hpp"
#include "host/child/runner/host_services.hpp"
#include "host/child/runner/lambda_service.hpp"
#include "host/child/runner/load.hpp"
#include "host/child/runner/older_tables.hpp"
#include "host/child/runner/runner.hpp"
#include "host/child/runner/source_service.hpp"
#include "host/child/runner/threads.hpp"

namespace cape::child {
namespace {

// One plugin from load to deinit. fail() does not return.
class Serving {
 public:
  explicit Serving(RunnerContext& context)
      : context_(context), kind_(static_cast<ChildKind>(context.setup.kind)), channel_(context) {}

  int run() {
    load();
    const ConfigTable config = read_config();
    HostServices host(context_.setup, config, channel_);
    host_table_ = context_.setup.drill == "F3" ? older_host(*host.table(), older_pages_) : host.table();
    init(host);
    if (kind_ != ChildKind::inspect) create(host);
    if (kind_ == ChildKind::lambda && !context_.setup.drill.empty()) drill();
    if (kind_ != ChildKind::inspect) tighten_up();
    send_ready();
    if (kind_ == ChildKind::lambda) LambdaService(context_.setup, channel_, *plugin_.lambda, self_).run();
    if (kind_ == ChildKind::source) SourceService(context_.setup, channel_, *plugin_.source, self_).run();
    end();
    return 0;
  }

 private:
  [[noreturn]] void fail(Phase phase, const std::string& why, std::string_view check = {},
                         cape_status status = CAPE_OK) {
    fail_setup(context_.response, phase, why, check, status);
  }

  void load() {
    channel_.set_phase(Phase::load);
    auto plugin = load_plugin(context_);
    if (!plugin) fail(Phase::load, plugin.error().text, plugin.error().check);
    plugin_ = std::move(*plugin);
    if (kind_ == ChildKind::lambda && plugin_.lambda == nullptr) fail(Phase::load, "it is not a lambda");
    if (kind_ == ChildKind::source && plugin_.source == nullptr) fail(Phase::load, "it is not a source");
  }

  ConfigTable read_config() {
    Result<ConfigTable> config = ConfigTable::parse(context_.setup.config_json);
    if (!config) fail(Phase::load, config.error().message);
    return std::move(*config);
  }

  void init(const HostServices& host) {
    channel_.set_phase(Phase::init);
    if (plugin_.entry->init == nullptr) return;
    if (context_.setup.drill == "L6") threads_ = count_threads();
    check(Phase::init, "init", guard([&] { return plugin_.entry->init(host_table_); }), host);
  }

  void create(const HostServices& host) {
    channel_.set_phase(Phase::create);
    const std::string& json = context_.setup.config_json;
    const cape_bytes config{reinterpret_cast<const std::uint8_t*>(json.data()), json.size()};
    const auto create = kind_ == ChildKind::lambda ? plugin_.lambda->create : plugin_.source->create;
    check(Phase::create, "create", guard([&] { return create(host_table_, config, &self_); }), host);
  }

  void drill() {
    drill_.emplace(context_, *plugin_.lambda, *host_table_);
    const std::string fault = drill_->run(context_.setup.drill, self_);
    if (!fault.empty()) fail(Phase::create, fault, context_.setup.drill);
  }

  void check(Phase phase, const char* function, const Verdict& verdict, const HostServices& host) {
    if (verdict.status == CAPE_OK) return;
    std::string why = std::string(function) + " returned " + name_status(verdict.status);
    if (!verdict.text.empty()) why = std::string(function) + ": " + verdict.text;
    if (const std::string complaint = host.last_complaint(); !complaint.empty()) why += ": " + complaint;
    fail(phase, why, {}, verdict.status);
  }

  static std::string name_status(cape_status status) {
    const std::string name = name_of(static_cast<OutcomeKind>(status));
    return name == "UNKNOWN" ? std::to_string(status) : name;
  }

  void tighten_up() {
    const Result<std::string> layers = tighten(context_);
    if (!layers) fail(Phase::create, layers.error().message);
    if (!layers->empty()) context_.sandbox.layers += "," + *layers;
  }

  void send_ready() {
    const SandboxReport& sandbox = context_.sandbox;
    const ManifestReport& manifest = plugin_.manifest;
    const ReadyFrame frame{.level = static_cast<std::uint32_t>(sandbox.level),
                           .kinds = manifest.kinds,
                           .wants = manifest.wants,
                           .lambda_flags = manifest.lambda_flags,
                           .abi_major = manifest.abi_major,
                           .abi_minor = manifest.abi_minor,
                           .abi_min_minor = manifest.abi_min_minor,
                           .has_flush = static_cast<std::uint8_t>(manifest.has_flush ? 1 : 0),
                           .has_batch = static_cast<std::uint8_t>(manifest.has_batch ? 1 : 0),
                           .layers_bytes = static_cast<std::uint32_t>(sandbox.layers.size()),
                           .missing_bytes = static_cast<std::uint32_t>(sandbox.missing.size()),
                           .id_bytes = static_cast<std::uint32_t>(manifest.id.size()),
                           .version_bytes = static_cast<std::uint32_t>(manifest.version.size())};
    const std::uint64_t text_bytes =
        sandbox.layers.size() + sandbox.missing.size() + manifest.id.size() + manifest.version.size();
    channel_.send(FrameKind::ready, sizeof frame + text_bytes, [&](BodyWriter& body) {
      body.write(frame);
      body.write_text(sandbox.layers);
      body.write_text(sandbox.missing);
      body.write_text(manifest.id);
      body.write_text(manifest.version);
    });
    channel_.ring_host();
  }

  void end() {
    if (kind_ != ChildKind::inspect) {
      channel_.set_phase(Phase::destroy);
      if (drill_) drill_->end();
      const auto destroy = kind_ == ChildKind::lambda ? plugin_.lambda->destroy : plugin_.source->destroy;
      leave("destroy", guard([&] { return destroy(self_), CAPE_OK; }));
    }
    channel_.set_phase(Phase::deinit);
    if (plugin_.entry->deinit != nullptr)
      leave("deinit", guard([&] { return plugin_.entry->deinit(), CAPE_OK; }));
    if (threads_ >= 0) look_for_threads();
    channel_.set_phase(Phase::done);
  }

  // Those that the library brought along, as runtimes of other languages do, may stay: nobody unloads it. Such
  // a runtime begins them when it likes, so nothing is said of a plugin that has no init.
  void look_for_threads() {
    constexpr std::int64_t wait_ns = 200 * ns_per_ms;
    const int left = count_threads(threads_, wait_ns) - threads_;
    if (left > 0)
      fail(Phase::deinit, "threads of init still run (" + std::to_string(left) + "); join them in deinit", "L6");
  }

  // Its work is done: an exception on the way out is told and changes nothing.
  void leave(const char* function, const Verdict& verdict) {
    if (verdict.status == CAPE_OK) return;
    const std::string text = std::string(function) + ": " + verdict.text;
    const LogFrame frame{
        .severity = CAPE_LOG_WARNING, .text_bytes = static_cast<std::uint32_t>(text.size()), .dropped = 0};
    channel_.try_send(FrameKind::log, sizeof frame + text.size(), [&](BodyWriter& body) {
      body.write(frame);
      body.write_text(text);
    });
  }

  RunnerContext& context_;
  ChildKind kind_;
  Channel channel_;
  LoadedPlugin plugin_;
  FencedBytes older_pages_;  // in a drill alone
  const cape_host* host_table_ = nullptr;
  void* self_ = nullptr;
  std::optional<Drill> drill_;
  int threads_ = -1;  // before init, in a drill alone
};

}  // namespace

int serve(RunnerContext& context) {
  return Serving(context).run();
}

}  // namespace cape::child
