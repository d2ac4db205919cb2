// host/child/settling.hpp
// Settling decides when a file that somebody writes, moves or removes has come to rest: once it has looked
// the same for a while. It decides only; its owner looks at the files and says what it saw. Thread: one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "core/clock.hpp"
#include "host/child/file_mark.hpp"

namespace cape::child {

class Settling {
public:
  explicit Settling(std::int64_t still_ns) : still_ns_(still_ns) {}

  enum class Seen : std::uint8_t {
    nothing_new,
    restless,  // it is new or has changed: what is known of its content is out of date
    still,     // said once: it has looked like this for long enough
    gone,      // said once: it has been away for long enough; forgotten
  };
  // The file looks like `mark` now.
  Seen saw(const fs::path& path, const FileMark& mark, std::int64_t now_ns);
  // The same for a file that was there at start: one last touched long enough ago need not wait.
  Seen saw_at_start(const fs::path& path, const FileMark& mark, Now now);
  // Look once more at `at_ns`, and call it still then if it has not changed.
  void again(const fs::path& path, std::int64_t at_ns);

  std::vector<fs::path> due(std::int64_t now_ns) const;  // to be looked at, then saw()
  std::optional<std::int64_t> next_due() const;          // boot time
  std::vector<fs::path> known_in(const fs::path& dir) const;
  std::size_t size() const { return files_.size(); }

private:
  struct File {
    FileMark mark;
    std::int64_t due_ns = 0;  // 0: nothing to wait for
  };
  std::int64_t still_ns_;
  std::map<fs::path, File> files_;
};

}  // namespace cape::child
