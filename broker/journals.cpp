#include "broker/journals.hpp"

#include <utility>

#include "broker/json.hpp"
#include "core/log.hpp"

namespace cape::broker {

Result<void> Journals::open(const Config& config) {
  for (const DomainConfig& domain : config.domains) {
    if (domain.source != journal_source || domain.shadow_of) continue;
    auto db = storage::JournalDb::open(config.journal_dir(domain), config.payload_bytes_max);
    if (!db) return std::unexpected(db.error());
    journals_.push_back({.domain = domain.name, .db = std::move(*db), .trouble = {}});
  }
  return {};
}

void Journals::touch() {
  for (Journal& journal : journals_) {
    const auto touched = journal.db.touch();
    const std::string trouble = touched ? "" : touched.error().message;
    if (trouble == journal.trouble) continue;
    journal.trouble = trouble;
    if (touched)
      log::info("broker", "journal of domain '{}': it can be read again", journal.domain);
    else
      log::error("broker", "journal of domain '{}': {}", journal.domain, trouble);
  }
}

}  // namespace cape::broker
