// Everything a lambda class may have, without wishes and with a semicolon behind the macro.
#include <cape/lambda.hpp>
#include <cape/utf8.hpp>
#include <string>

class EveryForm {
 public:
  static constexpr std::uint32_t lambda_flags = CAPE_LAMBDA_PARALLEL | CAPE_LAMBDA_ORDERED_BATCH;

  EveryForm(const cape::Config& config, const cape::Host& host)
      : limit_(config.require<std::uint16_t>("limit")),
        share_(config.get("share", 0.5)),
        label_(config.get("label", "none")),
        strict_(config.find<bool>("strict").value_or(cape::is_utf8(config.json()))),
        seen_(host.counter("seen")) {}

  cape::Outcome operator()(const cape::Event& event) {
    seen_.add(1);
    if (event.may_repeat() || event.attempt() > limit_)
      return cape::Outcome::bad_input(label_).with_code(limit_);
    if (strict_ && event.input("parse")) return cape::Outcome::failed("has an input");
    return share_ > 1 ? cape::Outcome::cancelled() : cape::Outcome::ok();
  }

  void batch(cape::Batch& batch) {
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
      cape::Call call = batch.call(i);
      if (call.cancelled() || call.deadline()) call.heartbeat();
      *call.reserve(1) = 0;
      call.commit(1);
      batch.set(i, (*this)(batch.event(i)));
    }
  }

  cape::Outcome flush(cape::Call& call) {
    call.log(CAPE_LOG_INFO, call.state_dir());
    return cape::Outcome::ok();
  }

 private:
  std::uint16_t limit_;
  double share_;
  std::string label_;
  bool strict_;
  cape::Metric seen_;
};
CAPE_LAMBDA(EveryForm, "every_form", "1.0.0");
