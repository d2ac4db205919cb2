// Decoders against bytes that are nearly right: seeded mutations of every sample. Each must come back as a
// message or an error, within memory bounded by the bytes that are really there.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>
#include <random>

#include "tests/wire/samples.hpp"
#include "wire/codec.hpp"

namespace {

std::atomic<std::size_t> bytes_asked = 0;  // since the last reset

}  // namespace

// Counts what the decoders ask for; freed memory is not given back to the count. Not inlined, or GCC sees
// free() beside a call of new and warns of a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  bytes_asked += size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace cape::wire {
namespace {

constexpr int mutations = 100'000;
constexpr std::uint64_t seed = 20260131;

// The largest structs stand for a few bytes each: an empty ChildReport is 13 bytes on the wire and about 200
// in memory; a list doubles while it grows, and its tokens have 16 bytes each.
constexpr std::size_t bytes_per_byte_max = 128;
constexpr std::size_t bytes_besides_max = 2048 * 1024;

void decode_with_all(std::string_view bytes) {
  (void)decode_ping(bytes);
  (void)decode_ping_reply(bytes);
  (void)decode_admin_request(bytes);
  (void)decode_admin_reply(bytes);
  if (const auto message = decode_to_broker(bytes)) (void)encode(*message);
  if (const auto message = decode_to_host(bytes)) (void)encode(*message);
}

std::vector<std::string> small_samples() {
  std::vector<std::string> out;
  const auto add = [&](const auto& messages) {
    for (const auto& message : messages)
      if (std::string bytes = encode(message); bytes.size() < 32'768) out.push_back(std::move(bytes));
  };
  add(test::pings());
  add(test::ping_replies());
  add(test::admin_requests());
  add(test::admin_replies());
  add(test::to_broker());
  add(test::to_host());
  return out;
}

// Bytes that mean something to msgpack: the largest lengths and counts, and the ends of integer ranges.
constexpr unsigned char telling[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0,
                                     0xC1, 0xC4, 0xC6, 0xC9, 0xCA, 0xCF, 0xD3, 0xD8, 0xD9,
                                     0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xE0, 0xFF};

void mutate(std::string& bytes, std::mt19937_64& random) {
  const auto below = [&](std::size_t end) { return static_cast<std::size_t>(random() % end); };
  for (std::size_t left = 1 + below(4); left > 0 && !bytes.empty(); --left) {
    // Mostly near the front, where structure is; the rest is text.
    const std::size_t at = below(std::min<std::size_t>(bytes.size(), random() % 2 ? 64 : bytes.size()));
    switch (below(5)) {
      case 0:
        bytes[at] = static_cast<char>(telling[below(std::size(telling))]);
        break;
      case 1:
        bytes[at] = static_cast<char>(random());
        break;
      case 2:
        bytes.erase(at, 1 + below(8));
        break;
      case 3:
        bytes.insert(at, 1 + below(8), static_cast<char>(telling[below(std::size(telling))]));
        break;
      default:
        bytes.insert(at, bytes.substr(below(bytes.size()), 1 + below(64)));
        break;
    }
  }
}

TEST(CodecMutations, NeverCrashNorAskForMemoryThatTheBytesDoNotCover) {
  const std::vector<std::string> samples = small_samples();
  std::mt19937_64 random(seed);
  for (int i = 0; i < mutations; ++i) {
    std::string bytes = samples[random() % samples.size()];
    mutate(bytes, random);

    bytes_asked = 0;
    decode_with_all(bytes);

    ASSERT_LE(bytes_asked, bytes_besides_max + bytes.size() * bytes_per_byte_max)
        << "seed " << seed << ", mutation " << i;
  }
}

TEST(CodecMutations, HeadersThatClaimBillionsAllocateNothingForThem) {
  for (const char* claim :
       {"\xDD\xFF\xFF\xFF\xFF", "\xDB\xFF\xFF\xFF\xFF", "\xC6\xFF\xFF\xFF\xFF", "\xDF\xFF\xFF\xFF\xFF"})
    for (const char* before : {"", "\x93\x01\x13", "\x94\x01\x13\x01", "\x93\x01\x21", "\x93\x01\x21\x91"}) {
      const std::string bytes = std::string(before) + claim;

      bytes_asked = 0;
      decode_with_all(bytes);

      EXPECT_LE(bytes_asked, 16'384u) << testing::PrintToString(bytes);
    }
}

TEST(CodecMutations, MillionsOfTinyValuesAreRefusedAtTheLimit) {
  std::string bytes = "\x93\x01\x21\xDD\x02\x00\x00\x00";
  bytes.assign("\x93\x01\x21\xDD\x02\x00\x00\x00", 8);
  bytes.append(0x02000000, '\x90');

  bytes_asked = 0;
  const auto refused = decode_to_host(bytes);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "the message holds too many values");
  EXPECT_LE(bytes_asked, 64u << 20);
}

}  // namespace
}  // namespace cape::wire
