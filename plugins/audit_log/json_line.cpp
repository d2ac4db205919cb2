#include "json_line.hpp"

#include "json_text.hpp"

namespace audit_log {
namespace {

void append_fields(std::string& out, const Record& record) {
  out += "{\"domain\":";
  json_text::append_string(out, record.domain);
  out += ",\"subject\":";
  json_text::append_string(out, record.subject);
  out += ",\"sequence\":" + std::to_string(record.sequence);
  out += ",\"time_ns\":" + std::to_string(record.time_ns);
  out += ",\"type\":";
  json_text::append_string(out, record.type);
  out += ',';
  json_text::append_text_member(out, "payload", record.payload);
  out += ",\"fence\":" + std::to_string(record.fence) + "}\n";
}

}  // namespace

void append_line(std::string& out, const Record& record) {
  const std::size_t before = out.size();
  try {
    append_fields(out, record);
  } catch (...) {
    out.resize(before);  // half a line must never be written
    throw;
  }
}

}  // namespace audit_log
