// Keeps memory of every event for ever.
//
//   config = { bytes = 1024 }   so much of each
#include <cape/lambda.hpp>
#include <cstdint>
#include <memory>
#include <vector>

namespace {

class Guest {
 public:
  explicit Guest(const cape::Config& config) : bytes_(config.get<std::uint64_t>("bytes", 1024)) {}

  cape::Outcome operator()(const cape::Event&) {
    auto kept = std::make_unique<char[]>(bytes_);
    for (std::uint64_t at = 0; at < bytes_; at += 512) kept[at] = 1;
    leaked_.push_back(std::move(kept));
    return cape::Outcome::ok();
  }

 private:
  std::uint64_t bytes_;
  std::vector<std::unique_ptr<char[]>> leaked_;
};

}  // namespace

CAPE_LAMBDA(Guest, "leaks", "1.0.0")
