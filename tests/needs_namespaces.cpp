// Linked into a test program that runs children at the default level: where the machine allows no user
// namespaces its tests are skipped, and say why.
#include <gtest/gtest.h>

#include "host/child/sandbox/start.hpp"

namespace cape::test {
namespace {

class NeedsNamespaces final : public ::testing::Environment {
 public:
  void SetUp() override {
    const auto& facts = child::machine_facts();
    if (facts && !facts->namespaces)
      GTEST_SKIP()
          << "[  SKIPPED ] this machine refuses user namespaces (user.max_user_namespaces, container "
             "policy), without which no child reaches sandbox level B, the default";
  }
};

[[maybe_unused]] const auto* const needs =
    ::testing::AddGlobalTestEnvironment(new NeedsNamespaces);  // gtest's, from here on

}  // namespace
}  // namespace cape::test
