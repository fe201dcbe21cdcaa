#include "vcs/parked_push.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/model/branch.h"
#include "tests/support/expect_result.h"
#include "tests/support/memory_store.h"

namespace concordfs::vcs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Refs elsewhere, which can be away, and decline names.
class FakeRefs : public RemoteRefs {
 public:
  Result<std::vector<Ref>> List(std::string_view prefix) override {
    ++lists;
    if (away) return Error{Code::kUnreachable, "fake: no answer"};
    std::vector<Ref> found;
    for (const auto& [name, target] : refs) {
      if (name.starts_with(prefix)) found.push_back({name, target});
    }
    return found;
  }
  Result<void> Create(const Ref& ref) override {
    ++creations;
    if (away) return Error{Code::kUnreachable, "fake: no answer"};
    if (declines) return Error{Code::kDeclined, "fake: only branches"};
    const auto [at, is_new] = refs.emplace(ref.name, ref.target);
    if (!is_new && at->second != ref.target) return Error{Code::kExists, "fake: taken"};
    return {};
  }

  std::map<std::string, ObjectId> refs;
  bool away = false;
  bool declines = false;
  int lists = 0;
  int creations = 0;
};

class ParkedPushTest : public ::testing::Test {
 protected:
  ParkedPushTest() {
    ParkedPushOptions options;
    options.log = [this](const std::string& line) { lines_.push_back(line); };
    push_ = std::make_unique<ParkedPush>(here_, there_, options);
  }
  // A parked change of that id.
  ObjectId Park(const std::string& id) {
    testing::Branch branch(here_);
    const ObjectId commit = branch.AddCommit({{"f", branch.Blob(id)}}, {}, "andrew").commit;
    here_.ForceRef("refs/concordfs/rejected/andrew/" + id, commit);
    return commit;
  }

  MemoryStore here_;
  FakeRefs there_;
  std::vector<std::string> lines_;
  std::unique_ptr<ParkedPush> push_;
};

TEST_F(ParkedPushTest, MakesWhatTheRemoteLacksAndNothingTwice) {
  const ObjectId one = Park("1");
  const ObjectId two = Park("2");
  there_.refs["refs/concordfs/rejected/andrew/2"] = two;
  here_.ForceRef("refs/concordfs/recovered/andrew/3", one);
  ASSERT_OK(push_->PushAll());
  EXPECT_EQ(there_.refs.size(), 2U);
  EXPECT_EQ(there_.refs["refs/concordfs/rejected/andrew/1"], one);
  EXPECT_EQ(there_.creations, 1);
  Park("4");
  ASSERT_OK(push_->PushAll());
  ASSERT_OK(push_->PushAll());
  EXPECT_EQ(there_.creations, 2);
  EXPECT_EQ(there_.lists, 1) << "what is there is asked for once";
  EXPECT_EQ(push_->status().pushed, 2U);
  EXPECT_EQ(push_->status().waiting, 0U);
}

TEST_F(ParkedPushTest, KeepsWhatWaitsForARemoteThatIsAway) {
  there_.away = true;
  Park("1");
  EXPECT_CODE(push_->PushAll(), Code::kUnreachable);
  there_.away = false;
  ASSERT_OK(push_->PushAll());
  EXPECT_THAT(there_.refs, SizeIs(1));
}

TEST_F(ParkedPushTest, OverwritesNothing) {
  Park("1");
  ASSERT_OK(push_->PushAll());
  const ObjectId other = Park("2");
  Park("3");
  there_.refs["refs/concordfs/rejected/andrew/3"] = other;
  ASSERT_OK(push_->PushAll());
  EXPECT_EQ(there_.refs["refs/concordfs/rejected/andrew/3"], other);
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("taken")));
}

TEST_F(ParkedPushTest, SaysOnceWhatIsDeclinedAndGoesOn) {
  there_.declines = true;
  Park("1");
  ASSERT_OK(push_->PushAll());
  ASSERT_OK(push_->PushAll());
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("only branches")));
  EXPECT_EQ(push_->status().declined, 1U);
  there_.declines = false;
  Park("2");
  ASSERT_OK(push_->PushAll());
  EXPECT_THAT(there_.refs, SizeIs(1));
}

TEST_F(ParkedPushTest, PushesOnItsOwnThreadAndOnTheWayOut) {
  push_->Start();
  Park("1");
  push_->Notice();
  push_->Stop();
  EXPECT_THAT(there_.refs, SizeIs(1));
  EXPECT_THAT(lines_, IsEmpty());
}

}  // namespace
}  // namespace concordfs::vcs
