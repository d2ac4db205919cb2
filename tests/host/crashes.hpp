// tests/host/crashes.hpp
// Plugins that crash, one after the other, in every way there is, under one host.
#pragma once

namespace cape::test {

// Lets `crashes` children die, a successful event after each, and expects of the host's process that it has
// afterwards what it had before: heap, memory, descriptors, threads, children. Prints them. A gtest helper.
void expect_crashes_leave_nothing(int crashes);

}  // namespace cape::test
