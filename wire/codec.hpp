// wire/codec.hpp
// Messages as bytes and back. A message is one msgpack array: [protocol_version, type, fields...], laid out
// field by field in docs/protocol.md. Pure; any thread; never throws for what the bytes are.
//
// encode: requires a message within the limits of wire/messages.hpp, or the peer will refuse it.
// decode: Error::protocol for anything but exactly that layout (other version or type, missing or further
// fields, wrong kinds, text that is not UTF-8, a limit passed, trailing bytes); the message names the field
// and repeats nothing of the peer's text. Memory used is at most a small multiple of bytes.size(), whatever
// sizes the bytes claim.
#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"
#include "wire/messages.hpp"

namespace cape::wire {

std::string encode(const Ping& message);
std::string encode(const PingReply& message);
std::string encode(const AdminRequest& message);
std::string encode(const AdminReply& message);
std::string encode(const ToBroker& message);
std::string encode(const ToHost& message);

Result<Ping> decode_ping(std::string_view bytes);
Result<PingReply> decode_ping_reply(std::string_view bytes);
Result<AdminRequest> decode_admin_request(std::string_view bytes);
Result<AdminReply> decode_admin_reply(std::string_view bytes);
Result<ToBroker> decode_to_broker(std::string_view bytes);
Result<ToHost> decode_to_host(std::string_view bytes);

}  // namespace cape::wire
