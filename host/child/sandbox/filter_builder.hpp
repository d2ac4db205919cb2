// FilterBuilder is libseccomp behind names that say what a rule does. Rules are kept going after the first
// mistake; program() reports it.
#pragma once

#include <seccomp.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>

#include "core/error.hpp"

namespace cape::child {

// Conditions on arguments. The kernel passes 64 bits and looks at the lower 32 of an int, so only they are
// compared: a plugin may put anything above.
constexpr scmp_arg_cmp is_int(unsigned argument, std::uint32_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, 0xFFFF'FFFFu, value};
}
constexpr scmp_arg_cmp has_bits(unsigned argument, std::uint32_t bits) {
  return {argument, SCMP_CMP_MASKED_EQ, bits, bits};
}
constexpr scmp_arg_cmp lacks_bits(unsigned argument, std::uint32_t bits) {
  return {argument, SCMP_CMP_MASKED_EQ, bits, 0};
}
constexpr scmp_arg_cmp bits_are(unsigned argument, std::uint32_t mask, std::uint32_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

class FilterBuilder {
 public:
  using Conditions = std::initializer_list<scmp_arg_cmp>;

  explicit FilterBuilder(std::uint32_t default_action);

  void allow(std::span<const int> calls);
  void allow(int call, Conditions conditions = {}) { rule(SCMP_ACT_ALLOW, call, conditions); }
  void refuse(std::uint16_t error, std::span<const int> calls);
  void refuse(std::uint16_t error, int call, Conditions conditions = {}) {
    rule(SCMP_ACT_ERRNO(error), call, conditions);
  }
  void trap(int call, Conditions conditions = {}) { rule(SCMP_ACT_TRAP, call, conditions); }

  Result<std::string> program() const;

 private:
  void rule(std::uint32_t action, int call, Conditions conditions);
  void note(int error, const char* what);

  std::unique_ptr<void, void (*)(void*)> context_;
  std::string mistake_;
};

}  // namespace cape::child
