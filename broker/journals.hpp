// broker/journals.hpp
// Journals holds the built-in journals of the config's domains open, for the broker's whole life: a source's
// child reads them through read-only files, and only a writing connection keeps -wal and -shm in being.
// Thread: broker loop.
#pragma once

#include <string>
#include <vector>

#include "core/config/config.hpp"
#include "core/error.hpp"
#include "storage/journal/journal_db.hpp"

namespace cape::broker {

class Journals {
 public:
  Result<void> open(const Config& config);

  // Once a second and after a source failed: a reading child cannot repair what a writer killed in a commit
  // leaves; a writing connection does by reading. What is wrong with a journal is logged when it changes.
  void touch();

 private:
  struct Journal {
    std::string domain;
    storage::JournalDb db;
    std::string trouble;  // that was logged; empty: none
  };
  std::vector<Journal> journals_;
};

}  // namespace cape::broker
