// host/child/intake.hpp
// Intake watches plugin directories and turns stable `.so` files into PluginImages: sealed copy, hash,
// manifest read and library loaded in a sandboxed child. A bad file is set aside with the reason; the last
// good bytes of its id stay. Thread: one thread; never blocks beyond reading a local file it copies.
//
// What happens to a file and what follows:
//   appears, is rewritten or renamed over   once still: taken in; good bytes replace the file's older ones
//   turns bad                               set aside; the file's last good bytes go on serving
//   disappears (for still_ms)               its bytes no longer serve: the next file with that id does, or
//   none.
//                                           Children that run them are not touched; their owner drains them
//   same bytes under a second name          inspected once
//   its signature appears or changes        taken in anew, where signatures count
// Files that are neither regular nor named *.so, and dot files, are never opened.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/config/config.hpp"
#include "core/error.hpp"
#include "host/child/child_spec.hpp"
#include "host/child/inspector.hpp"
#include "host/child/signature.hpp"
#include "wire/messages.hpp"

namespace cape::child {

struct IntakeOptions {
  std::vector<fs::path> dirs;          // watched; a missing one is an error
  std::vector<fs::path> builtin_dirs;  // read once at start, lowest precedence
  std::int64_t still_ms = 250;         // a file must not change for this long
  std::uint64_t file_bytes_max = 256u << 20;
  char require_level = 'B';
  int life_fd = -1;
  SignaturePolicy signatures;  // of files in `dirs`
};

// What became of one plugin file.
struct FileVerdict {
  enum class State : std::uint8_t {
    serves,
    stands_by,  // good, but another file with its id serves
    set_aside,
  };
  fs::path file;
  bool watched = false;  // not a built-in one
  State state = State::serves;
  PluginImagePtr image;  // that serves or stands by; of a file that is set aside the last good bytes, or null
  std::string hash;      // of a file that is set aside: of its newest bytes; empty if they could not be read
  std::string reason;
};

class Intake {
public:
  virtual ~Intake() = default;
  virtual int fd() const = 0;                          // readable when step() has something to do
  virtual std::int64_t next_step_boot_ns() const = 0;  // step() is due then even if fd() is silent
  // Moves everything on that can move now. true: serving() or set_aside() changed.
  virtual bool step() = 0;
  // The image that serves each id, by id. One id in two files: the one that became stable last; at start the
  // highest version, then the newest mtime, then the name; a watched file wins over a built-in one.
  virtual std::vector<PluginImagePtr> serving() const = 0;
  // Everything that could serve: of each id those that serve or stand by, highest first; then what was
  // replaced or removed and is still kept, the newest first.
  virtual std::vector<PluginImagePtr> available() const = 0;
  virtual std::vector<wire::SetAside> set_aside() const = 0;
  virtual std::vector<FileVerdict> files() const = 0;  // those that are served or set aside, by path
  // True once every file that was there at start is served or set aside.
  virtual bool settled() const = 0;
};

Result<std::unique_ptr<Intake>> make_intake(IntakeOptions options);

// The same with its surroundings given, for tests.
struct IntakePorts {
  std::unique_ptr<Inspector> inspector;
  std::unique_ptr<Clock> clock;
};
Result<std::unique_ptr<Intake>> make_intake(IntakeOptions options, IntakePorts ports);

// Where the built-in plugins and cape-runner of this installation lie: beside the running binary in a build
// tree, else below its prefix.
Result<fs::path> builtin_plugin_dir();
Result<fs::path> runner_path();
Result<fs::path> probe_path();  // what `cape doctor` runs
// The same for the templates of `cape plugin new`.
Result<fs::path> template_dir();

}  // namespace cape::child
