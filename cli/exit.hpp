// cli/exit.hpp
// What `cape` tells the shell, and how a command ends. Scripts rely on the numbers: they never change
// meaning.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace cape::cli {

enum class Exit : int {
  done = 0,
  failed = 1,     // the environment, the broker or a store said no
  usage = 2,      // the command line, the config, or a file that the line names is wrong
  behind = 3,     // parked, paused or behind
  no_broker = 4,  // none was reached
  timed_out = 5,
};

// The number as a word, for JSON: "done", "failed", "usage", ...
const char* name_of(Exit exit);

// A command's end as a value; main tells it, on stderr and for --json on stdout too.
struct Ending {
  Ending(Exit how = Exit::done) : exit(how) {}  // implicit: most commands just end
  bool is_failure() const { return exit != Exit::done; }

  Exit exit;
  std::string message;  // why it is not done: names the thing and the next step; printable
  // What stands beside "error" in the JSON object: key, and value as JSON text.
  std::vector<std::pair<std::string, std::string>> fields;
};

}  // namespace cape::cli
