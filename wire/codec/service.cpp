// Messages between Cape and the world: pings and commands.
#include <fmt/format.h>

#include "wire/codec.hpp"
#include "wire/codec/reader.hpp"
#include "wire/codec/writer.hpp"

namespace cape::wire {

std::string encode(const Ping& message) {
  return Writer::message(MessageType::ping, 3)
      .text(message.domain)
      .text(message.subject)
      .integer(message.hint)
      .take();
}

Result<Ping> decode_ping(std::string_view bytes) {
  Reader reader(bytes);
  reader.expect_type(MessageType::ping);
  reader.fields("ping", 3);
  Ping ping;
  ping.domain = reader.text("domain", name_bytes_max);
  ping.subject = reader.text("subject", subject_bytes_max);
  ping.hint = reader.integer<std::int64_t>("hint", 0);
  if (!is_name(ping.domain)) reader.refuse("domain", "not a name; names are made of a-z, 0-9 and _");
  if (const auto mistake = subject_mistake(ping.subject); !mistake.empty()) reader.refuse("subject", mistake);
  return reader.finish(std::move(ping));
}

std::string encode(const PingReply& message) {
  return Writer::message(MessageType::ping_reply, 2)
      .integer(static_cast<std::uint32_t>(message.answer))
      .text(message.reason)
      .take();
}

Result<PingReply> decode_ping_reply(std::string_view bytes) {
  Reader reader(bytes);
  reader.expect_type(MessageType::ping_reply);
  reader.fields("ping_reply", 2);
  PingReply reply;
  const auto last = static_cast<std::uint8_t>(PingAnswer::refused);
  reply.answer = static_cast<PingAnswer>(reader.integer<std::uint8_t>("answer", 0, last));
  reply.reason = reader.text("reason", reason_bytes_max);
  return reader.finish(std::move(reply));
}

std::string encode(const AdminRequest& message) {
  return Writer::message(MessageType::admin_request, 2).text(message.method).text(message.body).take();
}

Result<AdminRequest> decode_admin_request(std::string_view bytes) {
  Reader reader(bytes);
  reader.expect_type(MessageType::admin_request);
  reader.fields("admin_request", 2);
  AdminRequest request;
  request.method = reader.text("method", name_bytes_max);
  request.body = reader.text("body", admin_request_bytes_max);
  return reader.finish(std::move(request));
}

std::string encode(const AdminReply& message) {
  return Writer::message(MessageType::admin_reply, 2).flag(message.ok).text(message.body).take();
}

Result<AdminReply> decode_admin_reply(std::string_view bytes) {
  Reader reader(bytes);
  reader.expect_type(MessageType::admin_reply);
  reader.fields("admin_reply", 2);
  AdminReply reply;
  reply.ok = reader.flag("ok");
  reply.body = reader.text("body", admin_reply_bytes_max);
  return reader.finish(std::move(reply));
}

}  // namespace cape::wire
