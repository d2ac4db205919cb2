// plugins/journal/reader.hpp
// Reader answers from one open journal. The tables are those of storage/journal: `subject` holds for each
// subject the highest sequence ever (so it is a safe upper bound: a trigger refuses anything at or below it),
// `event` its events in order. Every answer, and every batch of answers, comes from one read transaction.
// A subject that is not UTF-8 (SQLite takes it) is left out of scans, or one bad insert would end every scan.
// Thread: one at a time.
#pragma once

#include <cape/source.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sqlite_file.hpp"

namespace journal {

class Reader {
 public:
  Reader(std::string path, const cape::Host& host);

  std::optional<std::int64_t> latest(std::string_view subject);
  std::optional<cape::QueryAnswer> query(const cape::Query& query, cape::EventSink& events);
  void query_batch(cape::QueryBatch& batch);
  bool scan(std::string_view token, std::uint32_t subjects_max, cape::SubjectSink& subjects);

 private:
  struct Subject {
    std::int64_t id = 0;
    std::int64_t latest = 0;
  };
  class Transaction;

  std::optional<Subject> find(std::string_view name);
  std::optional<cape::QueryAnswer> answer(const cape::Query& query, cape::EventSink& events);
  cape::QueryAnswer read(const Subject& subject, const cape::Query& query, cape::EventSink& events);

  void skip(std::string_view name);

  cape::Host host_;
  sqlite_file::Connection connection_;
  sqlite_file::Statement begin_, commit_, find_subject_, read_events_, list_subjects_;
  bool warned_ = false;
};

}  // namespace journal
