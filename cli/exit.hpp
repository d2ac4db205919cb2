// cli/exit.hpp
// What `cape` tells the shell. Scripts rely on these numbers: they never change meaning.
#pragma once

namespace cape::cli {

enum class Exit : int {
  done = 0,
  failed = 1,
  usage = 2,      // the command line or the config is wrong
  behind = 3,     // parked, paused or behind
  no_broker = 4,  // none was reached
  timed_out = 5,
};

}  // namespace cape::cli
