// broker/scheduler/trace.hpp
// Inputs and actions as lines of text: for comparing two runs byte for byte, and for people. Names from
// outside are printable(); payloads are not shown.
#pragma once

#include <span>
#include <string>

#include "broker/scheduler/messages.hpp"

namespace cape::scheduler {

std::string to_text(const Input& input);
std::string to_text(const Action& action);
std::string to_text(std::span<const Action> actions);  // a line each

}  // namespace cape::scheduler
