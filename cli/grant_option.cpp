#include "cli/grant_option.hpp"

#include <charconv>
#include <nlohmann/json.hpp>
#include <system_error>

namespace cape::cli {

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > 0) items.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

namespace {

Result<std::uint16_t> parse_port(const std::string& text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error == std::errc() && end == text.data() + text.size() && port > 0) return port;
  return fail(ErrorCode::invalid, "'" + text + "' is no TCP port: write network=443");
}

}  // namespace

Result<Grant> parse_grant(std::string_view text) {
  Grant grant;
  for (const std::string& item : split_at_commas(text)) {
    const std::size_t equals = item.find('=');
    const std::string access = item.substr(0, equals);
    if (equals != std::string::npos && access == "network") {
      const Result<std::uint16_t> port = parse_port(item.substr(equals + 1));
      if (!port) return std::unexpected(port.error());
      grant.network.push_back(*port);
      continue;
    }
    if (equals == std::string::npos || (access != "read" && access != "write" && access != "code"))
      return fail(
          ErrorCode::invalid,
          "'" + item + "' is no grant: write read=DIR, write=DIR, code=DIR or network=PORT, with commas between");
    std::error_code error;
    const fs::path dir = fs::canonical(item.substr(equals + 1), error);
    if (error || !fs::is_directory(dir, error))
      return fail(ErrorCode::invalid,
                  "'" + item.substr(equals + 1) + "' is not a directory: only directories are granted");
    (access == "read" ? grant.read : access == "write" ? grant.write : grant.code).push_back(dir);
  }
  return grant;
}

Result<std::string> parse_settings(std::string_view text) {
  if (text.empty()) return std::string("{}");
  if (!nlohmann::json::parse(text, nullptr, false).is_object())
    return fail(ErrorCode::invalid, R"(--settings is not a JSON object, as '{"root":"/srv"}')");
  return std::string(text);
}

}  // namespace cape::cli
