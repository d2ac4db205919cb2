// storage/journal/schema.hpp
// The tables of a journal, data_dir/journal/DOMAIN/events.db. Plain C++17, so that a plugin may include it.
//
//   meta     payload_bytes_max: what the trigger allows
//   subject  one row a subject; `latest` is the highest sequence it ever had: pruning events never lowers it
//   event    the events, dense, in the order in which they are read: by (subject_id, sequence)
//   events   the view that programs insert into, select from and delete from (pruning)
//
// A reader of one subject: id and latest by name from `subject`, then events by (subject_id, sequence > n). A scan
// of all subjects: `SELECT name, latest FROM subject WHERE name > ? ORDER BY name`, which the unique index answers
// in byte order. Both are one step of one statement, so that latest is never above what the same snapshot shows.
// Subjects that come by plain SQL are text without NUL, 1..255 bytes, but SQLite does not check that text is UTF-8.
#pragma once

#include <cstdint>

namespace cape::storage {

inline constexpr const char* journal_file_name = "events.db";
inline constexpr const char* journal_schema_name = "journal";
inline constexpr std::int32_t journal_application_id = 0x4361704A;  // "CapJ"

// Nothing in it needs an SQLite newer than 3.9 of the programs that insert.
//
// The insert trigger names no conflict and meets none: an outer INSERT OR REPLACE would override its own ON CONFLICT
// clauses and could give a subject a new id, which would orphan its events.
inline constexpr const char* journal_schema_version_1 = R"sql(
CREATE TABLE meta(
  key   TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('payload_bytes_max', 1048576);

CREATE TABLE subject(
  id     INTEGER PRIMARY KEY,
  name   TEXT NOT NULL UNIQUE,
  latest INTEGER NOT NULL
);

CREATE TABLE event(
  subject_id INTEGER NOT NULL,
  sequence   INTEGER NOT NULL,
  time_ns    INTEGER NOT NULL,
  type       TEXT NOT NULL,
  payload    BLOB NOT NULL,
  PRIMARY KEY(subject_id, sequence)
) WITHOUT ROWID;

CREATE VIEW events(subject, sequence, time_ns, type, payload) AS
  SELECT s.name, e.sequence, e.time_ns, e.type, e.payload
  FROM subject AS s JOIN event AS e ON e.subject_id = s.id;

CREATE TRIGGER events_insert INSTEAD OF INSERT ON events
BEGIN
  SELECT CASE
    WHEN typeof(NEW.subject) <> 'text' THEN RAISE(ABORT, 'subject must be TEXT')
    WHEN NEW.subject = '' THEN RAISE(ABORT, 'subject is empty')
    WHEN length(CAST(NEW.subject AS BLOB)) > 255 THEN RAISE(ABORT, 'subject is longer than 255 bytes')
    WHEN instr(CAST(NEW.subject AS BLOB), x'00') > 0 THEN RAISE(ABORT, 'subject holds a NUL byte')
    WHEN typeof(NEW.sequence) NOT IN ('integer', 'null') THEN RAISE(ABORT, 'sequence must be an INTEGER, or NULL for the next one')
    WHEN NEW.sequence <= 0 THEN RAISE(ABORT, 'sequence must be above 0')
    WHEN NEW.sequence <= (SELECT latest FROM subject WHERE name = NEW.subject)
      THEN RAISE(ABORT, 'sequence must be above the highest this subject ever had; NULL gives the next one')
    WHEN NEW.sequence IS NULL AND (SELECT latest FROM subject WHERE name = NEW.subject) = 9223372036854775807
      THEN RAISE(ABORT, 'this subject has no sequence left')
    WHEN typeof(NEW.time_ns) NOT IN ('integer', 'null')
      THEN RAISE(ABORT, 'time_ns must be an INTEGER, nanoseconds since 1970, or NULL for now')
    WHEN typeof(NEW.type) NOT IN ('text', 'null') THEN RAISE(ABORT, 'type must be TEXT')
    WHEN length(CAST(NEW.type AS BLOB)) > 255 THEN RAISE(ABORT, 'type is longer than 255 bytes')
    WHEN length(CAST(NEW.payload AS BLOB)) > (SELECT value FROM meta WHERE key = 'payload_bytes_max')
      THEN RAISE(ABORT, 'payload is larger than the limit: payload_bytes_max in cape.toml')
  END;
  INSERT INTO subject(name, latest)
    SELECT NEW.subject, 0 WHERE NOT EXISTS (SELECT 1 FROM subject WHERE name = NEW.subject);
  UPDATE subject SET latest = coalesce(NEW.sequence, latest + 1) WHERE name = NEW.subject;
  INSERT INTO event(subject_id, sequence, time_ns, type, payload)
    SELECT id, latest,
           coalesce(NEW.time_ns, CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000000),
           coalesce(NEW.type, ''), CAST(coalesce(NEW.payload, '') AS BLOB)
    FROM subject WHERE name = NEW.subject;
END;

CREATE TRIGGER events_delete INSTEAD OF DELETE ON events
BEGIN
  DELETE FROM event
    WHERE subject_id = (SELECT id FROM subject WHERE name = OLD.subject) AND sequence = OLD.sequence;
END;

CREATE TRIGGER events_update INSTEAD OF UPDATE ON events
BEGIN
  SELECT RAISE(ABORT, 'an event never changes: insert a new one that says what is different');
END;
)sql";

// No answer can go past the highest 64-bit number (its next_start would be one more), so no event may have
// it. On the table and not on the view, so that it holds whichever way a sequence was chosen.
inline constexpr const char* journal_schema_version_2 = R"sql(
CREATE TRIGGER subject_latest BEFORE UPDATE OF latest ON subject WHEN NEW.latest = 9223372036854775807
BEGIN
  SELECT RAISE(ABORT, 'sequence 9223372036854775807 is refused, since no query can go past it: the highest is 9223372036854775806');
END;
)sql";

}  // namespace cape::storage
