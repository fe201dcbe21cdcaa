#include "vcs/git/prefix_hasher.h"

#include <gtest/gtest.h>

#include <random>

#include "vcs/git/object_hasher.h"

namespace concordfs::vcs::git {
namespace {

std::string Bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

class PrefixHasherTest : public ::testing::Test {
 protected:
  void ExpectRight(std::string_view bytes, ObjectKind kind = ObjectKind::kTree) {
    EXPECT_EQ(hasher_.Hash(kind, bytes), HashFast(kind, bytes)) << bytes.size();
  }
  PrefixHasher hasher_;
};

TEST_F(PrefixHasherTest, NamesEverySize) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, PrefixHasher::kSmallest - 1, PrefixHasher::kSmallest,
        PrefixHasher::kSmallest + 1, std::size_t{100'000}, PrefixHasher::kLargest, PrefixHasher::kLargest + 1}) {
    ExpectRight(Bytes(size, 1));
    ExpectRight(Bytes(size, 1));
  }
}

TEST_F(PrefixHasherTest, NamesWhatWasChangedAnywhere) {
  std::string bytes = Bytes(200'000, 1);
  std::mt19937 random(7);
  ExpectRight(bytes);
  for (const std::size_t place :
       {std::size_t{0}, std::size_t{16'383}, std::size_t{16'384}, std::size_t{196'608}, std::size_t{199'999}}) {
    ++bytes[place];
    ExpectRight(bytes);
  }
  for (int i = 0; i < 300; ++i) {
    if (random() % 10 == 0) bytes.insert(random() % bytes.size(), 1, 'x');
    if (random() % 10 == 0) bytes.erase(random() % bytes.size(), 1);
    ++bytes[random() % bytes.size()];
    ExpectRight(bytes);
  }
}

TEST_F(PrefixHasherTest, KnowsObjectsOfOneSizeApart) {
  const std::string same = Bytes(16'384, 1);  // all begin with it
  for (int round = 0; round < 3; ++round) {
    for (unsigned i = 0; i < 2 * PrefixHasher::kMost; ++i) {
      ExpectRight(Bytes(50'000, i));
      ExpectRight(same + Bytes(40'000, i));
      ExpectRight(same + Bytes(40'000, i), ObjectKind::kBlob);
    }
  }
}

}  // namespace
}  // namespace concordfs::vcs::git
