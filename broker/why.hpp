// broker/why.hpp
// `cape why`: what each topology of a subject waits for. The scheduler tells what it knows; where it knows of
// nothing to do, the subject's source is asked, so the answer may come later. Changes nothing. Thread: broker
// loop only; never blocks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "broker/admin_server.hpp"
#include "core/types.hpp"
#include "host/child/source_child.hpp"

namespace cape::broker {

struct BrokerState;

class WhyDesk {
 public:
  static constexpr std::size_t questions_max = 64;  // that wait for a source

  explicit WhyDesk(BrokerState& broker) : b_(broker) {}

  // nullopt: take_answers() will have it, within two seconds.
  std::optional<wire::AdminReply> begin(const nlohmann::json& body, AdminTicket ticket, std::int64_t now_ns);
  // True: the answer was to a question of ours.
  bool on_answer(DomainIndex domain, const child::QueryAnswer& answer);
  void on_source_lost(DomainIndex domain);
  void step(std::int64_t now_ns);  // answers without the source what has waited too long
  std::optional<std::int64_t> next_deadline() const;

  struct Answer {
    AdminTicket ticket;
    wire::AdminReply reply;
  };
  std::vector<Answer> take_answers();

 private:
  struct Question {
    AdminTicket ticket;
    DomainIndex domain = 0;
    std::string subject;
    std::int64_t until_ns = 0;
  };
  struct SourceSays {
    std::optional<Sequence> latest;  // empty: it was not asked, or does not know the subject
    std::string trouble;             // why it did not answer; empty: it did
  };
  wire::AdminReply reply_of(DomainIndex domain, const std::string& subject, SourceSays source) const;
  void answer(std::uint64_t tag, const SourceSays& source);

  BrokerState& b_;
  std::map<std::uint64_t, Question> questions_;      // by the query's tag, and so by age
  std::uint64_t last_tag_ = std::uint64_t{1} << 63;  // above every tag of the tracker
  std::vector<Answer> answers_;
};

}  // namespace cape::broker
