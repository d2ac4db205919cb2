// cli/console.hpp
// What a person reads. Answers go to stdout, everything else to stderr, so that output can be piped. Text
// from outside (subjects, reasons, file names) goes through shown() first: it may hold terminal sequences.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/exit.hpp"

namespace cape::cli {

void say(std::string_view line);   // stdout, with a newline
void note(std::string_view line);  // stderr: "cape: line"
// The same for an error: `return complain(Exit::usage, "...")`. The text names the thing and the next step.
Exit complain(Exit exit, std::string_view line);

void say_block(std::string_view lines);  // stdout, as it is

std::string shown(std::string_view text);  // printable, at most 300 bytes

// Rows of cells as aligned text columns, each line with a newline; the first row is the heading. Cells are
// shown() by the table.
std::string table(const std::vector<std::vector<std::string>>& rows);

// done, or failed with a complaint if stdout took not all of it (a full disk, a closed pipe).
Exit flush_stdout(Exit exit);

}  // namespace cape::cli
