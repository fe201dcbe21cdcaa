#include "vcs/git/object_hasher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>

#include "tests/support/expect_result.h"
#include "vcs/git/repository_pool.h"

namespace concordfs::vcs::git {
namespace {

using Start = Result<ObjectHasher> (*)(git_odb*, ObjectKind, std::uint64_t);

class ObjectHasherTest : public ::testing::TestWithParam<Start> {
 protected:
  ObjectHasherTest() {
    InitLibrary();
    auto odb = OpenHashingOdb();
    if (odb) odb_ = *std::move(odb);
  }

  Result<ObjectHasher> StartFor(std::uint64_t size) { return GetParam()(odb_.get(), ObjectKind::kBlob, size); }

  OdbHandle odb_;
};

TEST_P(ObjectHasherTest, NamesWhatComesInPieces) {
  std::mt19937 random(1);
  std::string bytes(100'000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (const std::size_t size : {0, 1, 64, 4096, 100'000}) {
    const std::string_view whole = std::string_view(bytes).substr(0, size);
    auto hasher = StartFor(size);
    ASSERT_OK(hasher);
    for (std::size_t at = 0; at < size;) {
      const std::size_t piece = std::min<std::size_t>(size - at, 1 + random() % 10'000);
      ASSERT_OK(hasher->Update(whole.substr(at, piece)));
      at += piece;
    }
    const auto id = hasher->Finish();
    ASSERT_OK(id);
    const auto expected = HashCarefully(ObjectKind::kBlob, whole);
    ASSERT_OK(expected);
    EXPECT_EQ(*id, *expected) << size;
  }
}

TEST_P(ObjectHasherTest, RefusesMoreOrLessThanWasAnnounced) {
  auto longer = StartFor(3);
  ASSERT_OK(longer);
  ASSERT_OK(longer->Update("ab"));
  EXPECT_CODE(longer->Update("cd"), Code::kInvalidArgument);

  auto shorter = StartFor(3);
  ASSERT_OK(shorter);
  ASSERT_OK(shorter->Update("ab"));
  EXPECT_CODE(shorter->Finish(), Code::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Ways, ObjectHasherTest, ::testing::Values(ObjectHasher::Start, ObjectHasher::StartFast),
                         [](const auto& way) { return way.index == 0 ? "Careful" : "Fast"; });

}  // namespace
}  // namespace concordfs::vcs::git
