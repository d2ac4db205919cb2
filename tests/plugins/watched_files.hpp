// tests/plugins/watched_files.hpp
// The event source `files`, loaded as it ships, over a real directory and the real inotify, and what it has
// told.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "tests/fakes/loaded_plugin.hpp"
#include "tests/fakes/temp_dir.hpp"

namespace cape::test {

namespace fs = std::filesystem;

struct Told {
  std::string subject, type, path, other;
  std::int64_t sequence = 0;
  nlohmann::json payload;
};

class WatchedFiles : public ::testing::Test {
 protected:
  WatchedFiles() {
    fs::create_directories(tree());
    fs::create_directories(state());
    host_.config["root"] = tree().string();
    host_.set_domain("files");
    host_.grant_state(state().string());
  }

  fs::path data() const { return dir_ / "data"; }
  virtual fs::path tree() const { return dir_ / "tree"; }
  fs::path state() const { return data() / "state" / "domain" / "files"; }
  fs::path at(std::string_view path) const { return tree() / path; }
  void write(std::string_view path, std::string_view text) { write_file(at(path), text); }

  SourceInstance& source() {
    if (!source_) {
      // A file that was looked at within 20 ms of its last change is told once more at the next look, since
      // its times do not tell whether it changed again. Here they are to be old enough to be trusted.
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      source_.emplace(plugin_.factory<cape_source>(CAPE_FACTORY_SOURCE), host_, json_);
      EXPECT_TRUE(eventually([&] { return scan_status() == CAPE_OK; })) << "the tree was never compared";
    }
    return *source_;
  }
  void stop() { source_.reset(); }
  cape_status scan_status() {
    FakeCall call;
    std::uint32_t more = 0;
    return source_->scan(call, "", 1'000, more);
  }

  static bool eventually(const std::function<bool()>& what) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!what()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  std::vector<std::string> subjects() {
    FakeCall call;
    std::uint32_t more = 0;
    EXPECT_EQ(source().scan(call, "", 100'000, more), CAPE_OK);
    std::vector<std::string> names;
    for (const SeenSubject& seen : call.subjects) names.push_back(seen.subject);
    return names;
  }
  // Every event there is, in the order of the sequences, which are those of the whole journal.
  std::vector<Told> told() {
    std::vector<Told> all;
    for (const std::string& subject : subjects()) {
      FakeCall call;
      EXPECT_EQ(source().query(call, subject, 1, 100'000, 1u << 30).status, CAPE_OK);
      for (const SeenEvent& event : call.events) {
        Told one{subject, event.type, {}, {}, event.sequence, nlohmann::json::parse(event.payload)};
        one.path = one.payload.value("path", "?");
        one.other = one.payload.value("from", one.payload.value("to", ""));
        all.push_back(std::move(one));
      }
    }
    std::sort(all.begin(), all.end(), [](const Told& a, const Told& b) { return a.sequence < b.sequence; });
    return all;
  }
  // "type path" or "type path other", of what came after `sequence`.
  std::vector<std::string> lines(std::int64_t after = 0) {
    std::vector<std::string> all;
    for (const Told& one : told())
      if (one.sequence > after)
        all.push_back(one.type + " " + one.path + (one.other.empty() ? "" : " " + one.other));
    return all;
  }
  std::int64_t newest() {
    const std::vector<Told> all = told();
    return all.empty() ? 0 : all.back().sequence;
  }
  bool comes(const std::string& line, std::int64_t after = 0) {
    return eventually([&] {
      const auto all = lines(after);
      return std::find(all.begin(), all.end(), line) != all.end();
    });
  }

  TempDir dir_;
  FakeHost host_;
  std::string json_ = "{}";
  LoadedPlugin plugin_{CAPE_FILES_PLUGIN};
  std::optional<SourceInstance> source_;
};

}  // namespace cape::test
