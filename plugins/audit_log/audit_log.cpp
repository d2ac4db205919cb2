// The lambda `audit_log`: every event as one line of JSON in STATE_DIR/YYYY-MM-DD.jsonl, append-only.
//
//   grant  = { state = true }     needed
//   config = { sync = true }      lines are on disk before their events count as done; default false
//
// The day is the UTC day on which the lines are written, not that of the events. Lines are collected in
// memory and written with one write at the end of each batch, before any of its events counts as done. After
// a crash an event can stand in the log twice: the key is (domain, subject, sequence), and the higher fence
// is the later.
#include <cape/lambda.hpp>
#include <ctime>
#include <optional>
#include <string>
#include <utility>

#include "day_file.hpp"
#include "json_line.hpp"

namespace {

class AuditLog {
 public:
  AuditLog(const cape::Config& config, const cape::Host& host)
      : dir_(host.state_dir()), sync_(config.get("sync", false)), host_(host) {
    if (dir_.empty()) {
      throw cape::ConfigError(
          "audit_log has no directory to write to: set grant = { state = true } on this lambda");
    }
    cut_today();
  }

  cape::Outcome operator()(const cape::Event& event) {
    if (early_trouble_) return early_trouble_->outcome();
    audit_log::append_line(lines_, {event.domain(), event.subject(), event.sequence(), event.time_ns(),
                                    event.type(), event.payload(), event.fence()});
    if (lines_.size() >= lines_bytes_max) write_early();
    return cape::Outcome::ok();
  }

  void flush(cape::Call&) {
    const BatchEnd end(*this);
    if (early_trouble_) throw *early_trouble_;
    write();
    if (sync_ && file_.is_open()) file_.sync();
  }

 private:
  static constexpr std::size_t lines_bytes_max = 4u << 20;

  // Nothing of a batch outlives it: lines that were not written come again with their events.
  class BatchEnd {
   public:
    explicit BatchEnd(AuditLog& log) : log_(log) {}
    ~BatchEnd() {
      log_.lines_.clear();
      log_.early_trouble_.reset();
    }
    BatchEnd(const BatchEnd&) = delete;
    BatchEnd& operator=(const BatchEnd&) = delete;

   private:
    AuditLog& log_;
  };

  std::string today() const { return dir_ + "/" + audit_log::day_name(std::time(nullptr)); }

  // Whoever reads the log after a crash finds whole lines, even if no event comes any more. A file that
  // cannot be opened now is the first event's trouble: it is named there and tried again.
  void cut_today() {
    try {
      use(audit_log::DayFile(today(), false));
    } catch (const cape::Failure& failure) {
      host_.log(CAPE_LOG_WARNING, failure.what());
    }
  }

  void use(audit_log::DayFile file) {
    file_ = std::move(file);
    if (file_.bytes_cut() == 0) return;
    host_.log(CAPE_LOG_WARNING, file_.path() + ": cut an incomplete last line of " +
                                    std::to_string(file_.bytes_cut()) + " bytes");
  }

  void write() {
    if (lines_.empty()) return;
    if (const std::string path = today(); file_.path() != path || !file_.is_current()) {
      if (sync_ && file_.is_open()) file_.sync();  // the part of this batch that lies in yesterday's file
      use(audit_log::DayFile(path, true));
    }
    file_.append(lines_);
    lines_.clear();
  }

  // A batch of large payloads is written in parts, so that memory stays bounded. Lines of events that have
  // already counted as done here may be lost with it: flush must fail too.
  void write_early() {
    try {
      write();
    } catch (const cape::Failure& failure) {
      early_trouble_ = failure;
    }
  }

  std::string dir_;
  bool sync_;
  cape::Host host_;
  std::string lines_;
  std::optional<cape::Failure> early_trouble_;
  audit_log::DayFile file_;
};

}  // namespace

CAPE_LAMBDA(AuditLog, "audit_log", "1.0.0", CAPE_WANTS_STATE)
