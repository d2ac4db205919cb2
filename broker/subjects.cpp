#include "broker/subjects.hpp"

namespace cape::broker {

Subjects::Subjects(const Config& config, const scheduler::Scheduler& scheduler, storage::CursorStore& store)
    : config_(config), scheduler_(scheduler), store_(store), by_name_(config.domains.size()) {}

Result<Subjects::Found> Subjects::find(DomainIndex domain, std::string_view subject) {
  const SubjectId id = named(domain, subject);
  if (id != 0 && scheduler_.holds(id) && !scheduler_.needs_start(id)) return Found{.id = id, .stored = {}};
  auto loaded = store_.load(config_.domains[domain].name, subject);
  if (!loaded) return std::unexpected(loaded.error());
  if (!*loaded) return Found{.id = id, .stored = {}};
  return Found{.id = (*loaded)->id != 0 ? (*loaded)->id : id, .stored = std::move((*loaded)->info)};
}

SubjectId Subjects::hold(DomainIndex domain, std::string_view subject, SubjectId id) {
  if (id == 0) id = store_.new_subject_id();
  auto [at, added] = by_name_[domain].emplace(std::string(subject), id);
  if (added) by_id_.emplace(id, Name{domain, at->first});
  CAPE_CHECK(at->second == id);
  return id;
}

void Subjects::release(SubjectId id) {
  auto at = by_id_.find(id);
  if (at == by_id_.end()) return;
  ByName& names = by_name_[at->second.domain];
  names.erase(names.find(at->second.subject));
  by_id_.erase(at);
}

SubjectId Subjects::named(DomainIndex domain, std::string_view subject) const {
  auto at = by_name_[domain].find(subject);
  return at == by_name_[domain].end() ? 0 : at->second;
}

}  // namespace cape::broker
