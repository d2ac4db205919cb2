// broker/source_link.hpp
// SourceLink keeps one domain's event source running: starts its child when the plugin is there, replaces it
// when it ends (at once after it worked, with backoff when it does not even start), kills it when a call
// makes no progress. What the child answers goes to its owner. Thread: broker loop; never blocks.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config/config.hpp"
#include "host/child/growth_watch.hpp"
#include "host/child/source_child.hpp"

namespace cape::broker {

class SourceLink {
 public:
  // `config` must outlive it. `life_fd`: see ChildSpec::life_fd.
  SourceLink(const Config& config, const DomainConfig& domain, int life_fd);

  // The plugin bytes to run; null: none serves, `why` tells the reason. A running child of other bytes is
  // asked to stop; its successor starts when it has.
  void set_image(child::PluginImagePtr image, std::string why);

  void step(std::int64_t now_ns);  // starts, restarts, kills what hangs
  std::optional<std::int64_t> next_deadline() const;
  int fd() const { return child_ ? child_->fd() : -1; }
  // Appends what the child said. After a ChildEnded every call that is out has failed.
  void poll(std::vector<child::SourceReport>& out, std::int64_t now_ns);

  bool ready() const { return ready_; }
  child::SourceChild& child() { return *child_; }  // requires ready()
  void stop();                                     // no more calls; the child ends in its own time

  // What is now known of the bytes that run: that they work, or, while no query had succeeded, that they do
  // not. Each is told once for each time that other bytes come.
  struct Judged {
    std::string hash;
    std::string trouble;  // empty: they work
  };
  std::optional<Judged> take_judged() { return std::exchange(judged_, std::nullopt); }

  struct Status {
    std::string domain, plugin, version, hash, file, signed_by;
    std::string trouble;  // why it does not run; empty: it does
    int pid = 0;
    char level = '-';
    std::string missing;
    std::uint32_t restarts = 0, recycled = 0;
    std::uint32_t wants = 0;
    std::int64_t since_wall_ns = 0;  // when these bytes began to serve
  };
  Status status() const;
  std::vector<child::ChildMetric> metrics() const;  // of the child that runs
  const std::string& trouble() const { return trouble_; }

 private:
  void start(std::int64_t now_ns);
  void watch(std::int64_t now_ns);
  std::string hung(std::int64_t now_ns);
  void measure(std::int64_t now_ns);
  void ask_to_end(std::int64_t now_ns);
  void note_report(const child::SourceReport& report, std::int64_t now_ns);
  void note_end(const child::ChildEnded& end, std::int64_t now_ns);
  void note_success();
  void note_vain_end(const child::ChildEnded& end);

  const Config& config_;
  const DomainConfig& domain_;
  child::ChildSpec spec_;
  std::unique_ptr<child::SourceChild> child_;
  bool ready_ = false;
  bool stale_ = false;   // the child runs bytes that are to serve no more
  bool worn_ = false;    // it has grown too large
  bool killed_ = false;
  std::int64_t stop_ns_ = 0;     // it was asked to stop; 0: it was not
  std::int64_t measure_ns_ = 0;  // next look at its memory
  child::GrowthWatch growth_;
  bool ended_ = false;   // its end was reported; the object goes at the next step
  bool stopped_ = false;
  std::int64_t next_start_ns_ = 0;
  std::int64_t backoff_ns_ = 0;
  std::uint32_t restarts_ = 0;  // of these bytes: its child ended unasked
  std::uint32_t recycled_ = 0;
  std::int64_t since_wall_ns_ = 0;
  child::SandboxReport sandbox_;
  bool works_ = false;
  std::uint32_t vain_ends_ = 0;  // of children with these bytes, before any query succeeded
  std::optional<Judged> judged_;
  std::string trouble_ = "the plugin directories are still being read";
};

}  // namespace cape::broker
