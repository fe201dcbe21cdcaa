#include "vcs/git/spare_conversation.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "tests/support/expect_result.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::chrono::hours kLong{1};

// What the other ends hear and say.
struct World {
  std::mutex mutex;
  std::condition_variable changed;
  int begun = 0;
  int ended = 0;
  std::string heard;
  bool is_quiet = true;
  bool fails = false;
};

class FakeConnection : public Connection {
 public:
  explicit FakeConnection(World& world) : world_(world) {}
  ~FakeConnection() override {
    const std::lock_guard lock(world_.mutex);
    ++world_.ended;
    world_.changed.notify_all();
  }
  Result<void> Write(std::string_view bytes) override {
    const std::lock_guard lock(world_.mutex);
    world_.heard += bytes;
    return {};
  }
  Result<std::size_t> Read(char*, std::size_t) override { return std::size_t{0}; }
  bool IsQuiet() override {
    const std::lock_guard lock(world_.mutex);
    return world_.is_quiet;
  }
  Error WhyItEnded() override { return {Code::kUnreachable, "gone"}; }

 private:
  World& world_;
};

class SpareConversationTest : public ::testing::Test {
 protected:
  SpareConversation::Beginner Beginner() {
    return [this]() -> Result<Conversation> {
      const std::lock_guard lock(world_.mutex);
      ++world_.begun;
      if (world_.fails) return Error{Code::kUnreachable, "no way"};
      Conversation conversation;
      conversation.connection = std::make_unique<FakeConnection>(world_);
      return conversation;
    };
  }
  World world_;
};

TEST_F(SpareConversationTest, IsThereOnlyIfItWasPrepared) {
  SpareConversation spare(Beginner(), kLong);
  EXPECT_FALSE(spare.Take());
  EXPECT_EQ(world_.begun, 0);
}

TEST_F(SpareConversationTest, IsBegunOnceAndTakenOnce) {
  SpareConversation spare(Beginner(), kLong);
  spare.Prepare();
  spare.Prepare();
  const auto taken = spare.Take();
  ASSERT_TRUE(taken.has_value());
  ASSERT_OK(*taken);
  EXPECT_FALSE(spare.Take());
  EXPECT_EQ(world_.begun, 1);
  EXPECT_EQ(world_.heard, "");
}

TEST_F(SpareConversationTest, IsLeftWhenItsTimeIsOver) {
  SpareConversation spare(Beginner(), std::chrono::milliseconds(1));
  spare.Prepare();
  std::unique_lock lock(world_.mutex);
  world_.changed.wait(lock, [&] { return world_.ended == 1; });
  EXPECT_EQ(world_.heard, kFlushPacket);
  lock.unlock();
  EXPECT_FALSE(spare.Take());
}

TEST_F(SpareConversationTest, IsLeftAtTheEnd) {
  {
    SpareConversation spare(Beginner(), kLong);
    spare.Prepare();
  }
  EXPECT_EQ(world_.begun, world_.ended);
}

TEST_F(SpareConversationTest, IsOfNoUseWhenTheOtherEndIsGone) {
  SpareConversation spare(Beginner(), kLong);
  world_.is_quiet = false;
  spare.Prepare();
  EXPECT_FALSE(spare.Take());
  EXPECT_EQ(world_.ended, 1);
}

TEST_F(SpareConversationTest, IsBegunAgainAfterAFailure) {
  SpareConversation spare(Beginner(), kLong);
  world_.fails = true;
  spare.Prepare();
  const auto failed = spare.Take();  // nothing, if it failed before it was waited for
  if (failed) {
    EXPECT_CODE(*failed, Code::kUnreachable);
  }
  {
    const std::lock_guard lock(world_.mutex);
    world_.fails = false;
  }
  spare.Prepare();
  const auto taken = spare.Take();
  ASSERT_TRUE(taken.has_value());
  EXPECT_TRUE(taken->ok());
}

}  // namespace
}  // namespace concordfs::vcs::git
