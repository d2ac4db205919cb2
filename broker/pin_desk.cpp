#include "broker/pin_desk.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "broker/broker_state.hpp"
#include "broker/json_reply.hpp"
#include "core/log.hpp"

namespace cape::broker {
namespace {

using Json = nlohmann::json;

constexpr std::size_t hash_digits_min = 8;
constexpr std::size_t pin_reason_bytes_max = 256;

bool is_hash_start(const std::string& text) {
  return text.size() >= hash_digits_min && text.size() <= wire::hash_bytes_max &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string text_of(const storage::Pin& pin) {
  return pin.hash.empty() ? "version " + printable(pin.version, 64) : "hash " + pin.hash.substr(0, 12);
}

wire::AdminReply reply_of(const storage::PinWrite& write, bool dry_run) {
  return reply_with(true, {{"plugin", write.pin.plugin},
                           {"pinned", write.pinned},
                           {"version", write.pin.version},
                           {"hash", write.pin.hash},
                           {"dry_run", dry_run}});
}

storage::AuditEntry audit_of(const storage::PinWrite& write) {
  std::string what = write.pinned ? text_of(write.pin) : std::string();
  if (!write.pin.reason.empty()) what += (what.empty() ? "" : ": ") + write.pin.reason;
  return {.time_ns = wall_ns(),
          .act = write.pinned ? "pin" : "unpin",
          .domain = {},
          .subject = {},
          .topology = write.pin.plugin,
          .from = 0,
          .to = 0,
          .reason = std::move(what)};
}

}  // namespace

void PinDesk::open(std::vector<storage::Pin> pins) {
  for (storage::Pin& pin : pins) {
    log::info("broker", "plugin '{}' is pinned to {}", pin.plugin, text_of(pin));
    std::string plugin = pin.plugin;
    pins_[std::move(plugin)] = std::move(pin);
  }
  if (!pins_.empty()) tell();
}

const storage::Pin* PinDesk::of(const std::string& plugin) const {
  const auto at = pins_.find(plugin);
  return at == pins_.end() ? nullptr : &at->second;
}

std::vector<PinDesk::Known> PinDesk::known(const std::string& plugin) const {
  std::vector<Known> all;
  const auto add = [&](const std::string& version, const std::string& hash) {
    if (std::ranges::find(all, hash, &Known::hash) == all.end()) all.push_back({version, hash});
  };
  for (const auto& [id, session] : b_.hosts.sessions())
    for (const wire::PluginOffer& offer : session.offers)
      if (offer.id == plugin) add(offer.version, offer.hash);
  for (const child::PluginImagePtr& image : b_.intake->available())
    if (image->id == plugin && image->is_source()) add(image->version, image->hash);
  return all;
}

Result<storage::Pin> PinDesk::resolve(const std::string& plugin, const std::string& to) const {
  storage::Pin pin{.plugin = plugin, .version = {}, .hash = {}, .since_wall_ns = wall_ns(), .reason = {}};
  const std::vector<Known> all = known(plugin);
  if (std::ranges::find(all, to, &Known::version) != all.end()) {
    pin.version = to;
    return pin;
  }
  std::string there;
  for (const Known& one : all) {
    there += fmt::format("{}{} ({})", there.empty() ? "" : ", ", printable(one.version, 64),
                         one.hash.substr(0, 12));
    if (!is_hash_start(to) || !one.hash.starts_with(to)) continue;
    if (!pin.hash.empty())
      return fail(ErrorCode::invalid,
                  fmt::format("more than one hash of '{}' begins with {}: give more digits", plugin, to));
    pin.hash = one.hash;
  }
  if (!pin.hash.empty()) return pin;
  if (all.empty())
    return fail(
        ErrorCode::not_found,
        fmt::format("no host that is here has a plugin '{}': copy its .so into a plugin directory, or see "
                    "`cape plugin list`",
                    printable(plugin, wire::name_bytes_max)));
  return fail(
      ErrorCode::not_found,
      fmt::format("no host has '{}' of '{}'; there are: {}. Copy that .so into a plugin directory first",
                  printable(to, 64), plugin, there));
}

Result<storage::PinWrite> PinDesk::understand(const Json& body) const {
  const auto plugin = body.value("plugin", std::string());
  const auto reason = body.value("reason", std::string());
  if (!is_name(plugin)) return fail(ErrorCode::invalid, "'plugin' is not the id of a plugin");
  if (reason.size() > pin_reason_bytes_max)
    return fail(ErrorCode::invalid, fmt::format("'reason' is longer than {} bytes", pin_reason_bytes_max));
  storage::PinWrite write;
  if (body.contains("to")) {
    auto pin = resolve(plugin, body.at("to").get<std::string>());
    if (!pin) return std::unexpected(pin.error());
    if (!of(plugin) && pins_.size() + requests_.size() >= pins_max)
      return fail(ErrorCode::limit,
                  fmt::format("{} plugins are pinned, more cannot be: unpin one", pins_max));
    write = {.pin = std::move(*pin), .pinned = true};
  } else {
    if (!of(plugin)) return fail(ErrorCode::not_found, fmt::format("plugin '{}' is not pinned", plugin));
    write = {.pin = *of(plugin), .pinned = false};
  }
  write.pin.reason = printable(reason, pin_reason_bytes_max);
  return write;
}

std::optional<wire::AdminReply> PinDesk::begin(const Json& body, AdminTicket ticket) {
  auto write = understand(body);
  if (!write) return refused(write.error());
  if (body.value("dry_run", false)) return reply_of(*write, true);
  if (requests_.size() >= requests_max)
    return refused({ErrorCode::unavailable, "too many requests wait for the store; try again"});
  const std::uint64_t token = ++last_token_;
  b_.saver.put_pin(*write, audit_of(*write), token);
  requests_.emplace(token, Request{.ticket = std::move(ticket), .write = std::move(*write)});
  return std::nullopt;
}

void PinDesk::on_saved(std::uint64_t token, bool is_stored, const std::optional<Error>& error) {
  const auto at = requests_.find(token);
  if (at == requests_.end()) return;
  Request request = std::move(at->second);
  requests_.erase(at);
  if (!is_stored) {
    const std::string why = error ? error->message : "the store failed";
    answers_.push_back({std::move(request.ticket),
                        refused({error ? error->code : ErrorCode::io, "nothing was changed: " + why})});
    return;
  }
  const storage::Pin& pin = request.write.pin;
  if (request.write.pinned) {
    log::info("broker", "plugin '{}' is pinned to {} now", pin.plugin, text_of(pin));
    pins_[pin.plugin] = pin;
  } else {
    log::info("broker", "plugin '{}' is not pinned any more", pin.plugin);
    pins_.erase(pin.plugin);
  }
  tell();
  answers_.push_back({std::move(request.ticket), reply_of(request.write, false)});
}

void PinDesk::tell() const {
  std::vector<wire::PluginPin> all;
  for (const auto& [plugin, pin] : pins_) all.push_back({plugin, pin.version, pin.hash});
  b_.source_plugins.set_pins(all, *b_.intake);
  b_.hosts.set_pins(std::move(all));
}

}  // namespace cape::broker
