// A whole lambda, as the plugin guide shows it.
#include <cape/lambda.hpp>
#include <fstream>
#include <string>

struct AuditLog {
  AuditLog(const cape::Config& config, const cape::Host& host)
      : file_(std::string(host.state_dir()) + "/" + config.get("file", "audit.log"), std::ios::app) {}

  cape::Outcome operator()(const cape::Event& event, cape::Call& call) {
    if (event.payload().empty()) return cape::Outcome::skipped("nothing to log");
    file_ << event.subject() << ' ' << event.sequence() << ' ' << event.payload() << std::endl;
    if (!file_) return cape::Outcome::retry("the log cannot be written");
    call.emit(event.payload());
    return cape::Outcome::ok();
  }

  std::ofstream file_;
};
CAPE_LAMBDA(AuditLog, "first_lambda", "1.0.0", CAPE_WANTS_STATE)
