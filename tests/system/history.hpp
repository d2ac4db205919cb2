// tests/system/history.hpp
// The demo's event history, and what a topology must have seen of it.
#pragma once

#include <string>
#include <vector>

#include "tests/system/order_checker.hpp"
#include "tests/system/site.hpp"

namespace cape::test {

inline constexpr std::size_t history_events = 28'069;

// (subject, sequence) of every event, oldest first.
const std::vector<Seen>& history();

// The first `count` events as `cape append --jsonl` takes them.
std::string history_jsonl(std::size_t count = history_events);

// A checker that expects the first `count` events.
OrderChecker history_checker(std::size_t count = history_events);

// Feeds what a lambda recorded into the checker.
void check(OrderChecker& checker, const std::vector<Recorded>& ran);

// Prints the first mistakes, for `EXPECT_TRUE(x.mistakes().empty()) << text_of(x)`.
std::string text_of(const OrderChecker& checker);

}  // namespace cape::test
