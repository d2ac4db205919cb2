// broker/source_plugins.hpp
// SourcePlugins decides which bytes each domain's event source runs: those that the plugin directories have
// by the rule of intake; the last good ones while newer ones do not work; and before all the operator's pin.
// It reads the intake and tells the links, and beside each file of a source what became of it.
// Thread: broker loop only.
#pragma once

#include <vector>

#include "broker/source_link.hpp"
#include "core/config/config.hpp"
#include "host/child/intake.hpp"
#include "host/child/last_good.hpp"
#include "host/child/pins.hpp"
#include "host/child/status_files.hpp"

namespace cape::broker {

class SourcePlugins {
 public:
  // Borrowed; they must outlive it.
  SourcePlugins(const Config& config, std::vector<SourceLink>& links) : config_(config), links_(links) {}
  SourcePlugins(const SourcePlugins&) = delete;
  SourcePlugins& operator=(const SourcePlugins&) = delete;

  // The intake found something else than before.
  void take(const child::Intake& intake);
  // What the links found out about the bytes that they run.
  void judge(const child::Intake& intake);
  void set_pins(std::vector<wire::PluginPin> pins, const child::Intake& intake);

  const std::vector<child::PluginImagePtr>& serving() const { return serving_; }
  std::vector<wire::SetAside> set_aside() const { return last_good_.set_aside(); }
  bool is_former_bad(const std::string& hash) const { return last_good_.is_former_bad(hash); }

 private:
  std::string missing(const std::string& plugin, const child::Intake& intake) const;
  void note_trouble(DomainIndex domain, const SourceLink::Judged& judged);
  void write_verdicts(const child::Intake& intake);

  const Config& config_;
  std::vector<SourceLink>& links_;
  child::LastGood last_good_;
  child::Pins pins_;
  std::vector<child::PluginImagePtr> serving_;  // sources and others
  child::TroublesByHash troubles_;              // of bytes that a link found not to work
  child::StatusFiles status_files_{
      [this](const std::string& plugin) { return child::runs_sources_alone(config_, plugin); }};
};

}  // namespace cape::broker
