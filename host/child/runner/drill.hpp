// Drills: what a child does with a lambda only when `cape plugin check` asks for it (ChildSpec::drill): many
// instances, odd ids, a look at who calls after destroy. Everything runs behind the same walls as ever.
// Thread: main.
//
//   C2   creates and destroys it over and over        C8   payloads end at a page that cannot be read
//   C11  a heartbeat from another thread ends it      C12  two more instances live and die beside it
//   C13  asks for extensions that there are not       C14  destroys it, listens, creates it again
//   F3   tables of the oldest host (older_tables.hpp) L6   of any plugin: threads after deinit (serve.cpp)
//   C5, C6  what is SKIPPED is marked in its output (job_runner.cpp)
#pragma once

#include <cape/plugin.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "host/child/runner/runner.hpp"

namespace cape::child {

// Host services that count who calls. Borrows `real`.
class ListeningHost {
 public:
  explicit ListeningHost(const cape_host& real);
  ListeningHost(const ListeningHost&) = delete;
  ListeningHost& operator=(const ListeningHost&) = delete;
  const cape_host* table() const { return &table_; }
  std::uint64_t calls() const { return calls_.load(); }

 private:
  static const cape_host* heard(const cape_host* host);

  const cape_host* real_;
  cape_host table_;
  std::atomic<std::uint64_t> calls_ = 0;
};

class Drill {
 public:
  // Borrows all.
  Drill(const RunnerContext& context, const cape_lambda& lambda, const cape_host& host);

  // Runs those that end before the first event. Empty: the promise is kept. `self`: the instance; C14 brings
  // another one.
  std::string run(std::string_view id, void*& self);
  // Of C12: the instances beside it go.
  void end();

 private:
  std::string create(void*& self) const;
  std::string repeat() const;
  std::string round() const;
  std::string warm_up(std::int64_t until_ns) const;
  std::string crowd();
  std::string ask_for_extensions(void* self) const;
  std::string listen(void*& self) const;

  const RunnerContext& context_;
  const cape_lambda& lambda_;
  const cape_host& host_;
  void* other_ = nullptr;
  bool has_other_ = false;
};

// Copies of payloads, each of which ends where memory ends and cannot be written. At most `pages_bytes_max`
// at a time; what is beyond is given out as it is.
class FencedBytes {
 public:
  FencedBytes() = default;
  ~FencedBytes() { clear(); }
  FencedBytes(const FencedBytes&) = delete;
  FencedBytes& operator=(const FencedBytes&) = delete;
  cape_bytes fence(cape_bytes bytes);
  void clear();

 private:
  struct Pages {
    void* at;
    std::size_t bytes;
  };
  std::vector<Pages> pages_;
  std::size_t bytes_ = 0;
};

}  // namespace cape::child
