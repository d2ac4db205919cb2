// Signatures of plugin files: who signed these bytes, and every way in which nobody did.
#include "host/child/signature.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "host/child/image_copy.hpp"
#include "tests/fakes/temp_dir.hpp"

namespace cape::child {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string hash_of(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

class SignatureTest : public testing::Test {
 protected:
  SignatureTest() {
    EXPECT_TRUE(make_signing_keys(dir(), "release"));
    EXPECT_TRUE(make_signing_keys(dir(), "other"));
    std::ofstream(plugin()) << "the bytes of a plugin";
    EXPECT_TRUE(sign_plugin(plugin(), dir() / "release.secret"));
  }
  const fs::path& dir() const { return dir_.path(); }
  fs::path plugin() const { return dir() / "geo.so"; }
  TrustedKey key(const std::string& name) const {
    const std::string text = read_public_key(dir() / (name + ".public")).value();
    const std::size_t colon = text.find(':');
    return {text.substr(0, colon), text.substr(colon + 1)};
  }
  Result<std::string> signer(const std::string& signature,
                             std::string_view bytes = "the bytes of a plugin") const {
    const std::vector<TrustedKey> trusted{key("release")};
    return signer_of(signature, hash_of(bytes), trusted);
  }
  std::string signature() const { return read_signature(plugin()).value().value(); }

 private:
  test::TempDir dir_;
};

TEST_F(SignatureTest, NamesTheKeyThatSignedTheBytes) {
  EXPECT_EQ(signer(signature()).value(), "release");
}

TEST_F(SignatureTest, OfOtherBytesCountsForNothing) {
  const auto changed = signer(signature(), "the bytes of a plugiN");

  ASSERT_FALSE(changed);
  EXPECT_THAT(changed.error().message, AllOf(HasSubstr("key 'release'"), HasSubstr("not of these bytes"),
                                             HasSubstr("cape plugin sign")));
}

TEST_F(SignatureTest, OfAForeignKeyIsNamedWithWhatToAdd) {
  ASSERT_TRUE(sign_plugin(plugin(), dir() / "other.secret"));

  const auto foreign = signer(signature());

  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message, AllOf(HasSubstr("key 'other'"), HasSubstr("not trusted here"),
                                             HasSubstr("\"other:" + key("other").hex + "\"")));
}

TEST_F(SignatureTest, OfAForeignKeyThatCallsItselfTrustedIsForeign) {
  ASSERT_TRUE(sign_plugin(plugin(), dir() / "other.secret"));
  std::string renamed = signature();
  renamed.replace(renamed.find("other"), 5, "release");

  EXPECT_FALSE(signer(renamed));
}

TEST_F(SignatureTest, OfAForeignKeyUnderATrustedOnesNumberCountsForNothing) {
  ASSERT_TRUE(sign_plugin(plugin(), dir() / "other.secret"));
  std::string claims = signature();
  claims.replace(claims.find(key("other").hex), 64, key("release").hex);

  EXPECT_FALSE(signer(claims));
}

TEST_F(SignatureTest, IsRefusedWithAnyOfItsCharactersChanged) {
  const std::string good = signature();
  const std::size_t name_end = good.find(':');

  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == 'a' ? 'b' : 'a';
    const bool in_name = i < name_end && i > good.find(' ');  // what a key calls itself is for people
    EXPECT_EQ(signer(bad).has_value(), in_name) << i << ": " << bad;
  }
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(signer(good.substr(0, size))) << size;
  EXPECT_FALSE(signer(good + "0"));
  EXPECT_FALSE(signer(std::string(300, 'f')));
}

TEST_F(SignatureTest, FileThatCanBeNoneIsNotRead) {
  std::ofstream(plugin().string() + ".sig") << std::string(10'000, 'x');
  EXPECT_FALSE(read_signature(plugin()));

  fs::remove(plugin().string() + ".sig");
  EXPECT_EQ(read_signature(plugin()).value(), std::nullopt);

  ASSERT_EQ(::mkfifo((plugin().string() + ".sig").c_str(), 0600), 0);
  EXPECT_FALSE(read_signature(plugin())) << "and nobody waits for what a fifo holds";
}

TEST_F(SignatureTest, SecretThatOthersMayReadSignsNothing) {
  ::chmod((dir() / "release.secret").c_str(), 0640);

  const auto refused = sign_plugin(plugin(), dir() / "release.secret");

  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("chmod 600"));
}

TEST_F(SignatureTest, PublicKeyIsNoSecretOne) {
  ::chmod((dir() / "release.public").c_str(), 0600);

  const auto refused = sign_plugin(plugin(), dir() / "release.public");

  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("no secret signing key"));
}

TEST_F(SignatureTest, KeysAreNotOverwritten) {
  const std::string before = text_of(dir() / "release.secret");

  EXPECT_FALSE(make_signing_keys(dir(), "release"));

  EXPECT_EQ(text_of(dir() / "release.secret"), before);
  struct stat made {};
  ASSERT_EQ(::stat((dir() / "release.secret").c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0600u);
}

}  // namespace
}  // namespace cape::child
