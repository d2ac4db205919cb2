// The key `canary` of a topology or a lambda: `{ share = "5%", for = "10m", abort = "errors > 2x or p95 > 2x"
// }`.
#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "core/config/parts.hpp"

namespace cape::config {
namespace {

constexpr std::int64_t stage_day_ms = 86'400'000;
constexpr double factor_max = 1000;

// A number that `unit` ends, nothing between; nullopt: not that.
std::optional<double> number_before(std::string_view text, char unit) {
  if (text.size() < 2 || text.back() != unit || text[0] < '0' || text[0] > '9') return std::nullopt;
  text.remove_suffix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void read_share(Section& section, CanaryPolicy& canary) {
  const auto text = section.text("share");
  if (!text) return;
  const auto percent = number_before(*text, '%');
  if (percent && *percent >= 0.01 && *percent <= 100)
    canary.share = static_cast<std::uint32_t>(std::lround(*percent * 100));
  else
    section.mistake("share",
                    fmt::format("expected a part of the subjects from \"0.01%\" to \"100%\", found \"{}\"",
                                printable(*text, 64)));
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// One of "errors > 2x" and "p95 > 2x". false: it is neither, or said twice.
bool read_term(std::string_view term, CanaryPolicy& canary) {
  const std::size_t sign = term.find('>');
  if (sign == std::string_view::npos) return false;
  const std::string_view name = trimmed(term.substr(0, sign));
  double* factor = name == "errors" ? &canary.errors_factor : name == "p95" ? &canary.p95_factor : nullptr;
  const auto times = number_before(trimmed(term.substr(sign + 1)), 'x');
  if (factor == nullptr || *factor != 0 || !times || *times < 1 || *times > factor_max) return false;
  *factor = *times;
  return true;
}

void read_abort(Section& section, CanaryPolicy& canary) {
  const auto text = section.text("abort");
  if (!text) return;
  canary.errors_factor = canary.p95_factor = 0;
  constexpr std::string_view between = " or ";
  std::string_view left = *text;
  for (bool more = true; more;) {
    const std::size_t end = left.find(between);
    more = end != std::string_view::npos;
    if (!read_term(trimmed(left.substr(0, end)), canary))
      return section.mistake(
          "abort",
          fmt::format(
              "expected \"errors > 2x\", \"p95 > 2x\" or both joined by \"or\", from 1x to {}x; found \"{}\"",
              factor_max, printable(*text, 64)));
    if (more) left.remove_prefix(end + between.size());
  }
}

}  // namespace

std::optional<CanaryPolicy> read_canary(Section& section) {
  if (section.entries().find("canary") == nullptr) {
    (void)section.table("canary");  // so that it is one of the keys that are known
    return std::nullopt;
  }
  CanaryPolicy canary;
  Section table = section.table("canary");
  read_share(table, canary);
  table.duration_ms("for", canary.for_ms, {.min = 100, .max = 30 * stage_day_ms});
  read_abort(table, canary);
  table.finish();
  return canary;
}

void refuse_canary_with_state(Section& section, const LambdaConfig& lambda) {
  if (lambda.grant.state || !lambda.grant.write.empty())
    section.mistake(
        "canary",
        fmt::format("lambda \"{}\" has a state or write grant, and two versions at once would write the "
                    "same files; take the grant away, or give canary to the other lambdas alone",
                    lambda.name));
}

}  // namespace cape::config
