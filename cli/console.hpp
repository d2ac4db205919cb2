// cli/console.hpp
// What a person reads. Answers go to stdout, everything else to stderr, so that output can be piped. Text
// from outside (subjects, reasons, file names) goes through shown() first: it may hold terminal sequences.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/exit.hpp"
#include "core/error.hpp"

namespace cape::cli {

void say(std::string_view line);   // stdout, with a newline
void note(std::string_view line);  // stderr: "cape: line"
// An end with a reason: `return complain(Exit::usage, "...")`. Says nothing yet; finish() does.
Ending complain(Exit exit, std::string_view message);
Ending complain(Exit exit, const Error& error);  // its message, made printable

// Tells `ending` and returns the number for the shell: its message on stderr; with `json` also one object on
// stdout, {"error":{"code":"usage","exit":2,"message":"..."}} with the ending's fields beside it. When stdout
// took not all that was said (a full disk, a closed pipe), done becomes failed.
int finish(const Ending& ending, bool json);

// Whether --json stands among a command line's words: for lines that cannot be parsed.
bool json_wanted(std::span<char* const> arguments);

void say_block(std::string_view lines);  // stdout, as it is

std::string shown(std::string_view text);  // printable, at most 300 bytes

// Rows of cells as aligned text columns, each line with a newline; the first row is the heading. Cells are
// shown() by the table.
std::string table(const std::vector<std::vector<std::string>>& rows);

// Done, or failed with the reason if stdout took not all of it.
Ending flush_stdout();

}  // namespace cape::cli
