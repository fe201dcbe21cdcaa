// How many requests ordinary operations cost: each is a round trip from the kernel to the daemon.
#include <map>
#include <nlohmann/json.hpp>

#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using Counts = std::map<std::string, std::uint64_t>;

class Requests : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    Must("maker", "mkdir d && echo old > d/f");
  }

  // What came while the agent did this, without what the question itself costs and what nobody waits for. The agent
  // asks the mount itself: a program started to ask takes so long on a slow machine that what the mount expects of the
  // agent for a moment after a save (WriteHabits, resting copies) is over by then.
  Counts Of(AgentPython& agent, const std::string& statements) const {
    const std::string script =
        "import json\n"
        "def ask(): return json.loads(os.getxattr('" +
        Dir().string() +
        "', 'user.concordfs.status'))\n"
        "def is_open(status): return any(f['handles'] for a in status['agents'] for f in a['working_copies'])\n"
        "while is_open(ask()): pass\n"  // the release of the last save comes after its close
        "first = ask(); second = ask()\n" +
        statements +
        "\nlast = ask()\n"
        "first, second, last = (status['requests'] for status in (first, second, last))\n"
        "counts = {k: last[k] - 2 * second.get(k, 0) + first.get(k, 0) for k in last}\n";
    EXPECT_EQ(agent.Do(script), "ok");
    Counts counts =
        nlohmann::json::parse(agent.Get("json.dumps({k: max(n, 0) for k, n in counts.items()})")).get<Counts>();
    for (const char* nobody_waits : {"forget", "batch_forget"}) counts.erase(nobody_waits);
    std::erase_if(counts, [](const auto& entry) { return entry.second == 0; });
    return counts;
  }
  static std::uint64_t Sum(const Counts& counts) {
    std::uint64_t sum = 0;
    for (const auto& [name, count] : counts) sum += count;
    return sum;
  }
  // Three components below the mount's root.
  std::string File() const { return "'" + (Dir() / "d" / "f").string() + "'"; }
  std::string WriteScript(const std::string& text) const {
    return "fd = os.open(" + File() + ", os.O_WRONLY | os.O_TRUNC); os.write(fd, b'" + text + "'); os.close(fd)";
  }

  // Nobody's copy of it rests any more, and the kernel has it.
  bool IsCached(AgentPython& agent) const {
    return Eventually([&] { return Of(agent, "os.stat(" + File() + ")").empty(); });
  }
};

TEST_F(Requests, AStatOfACachedPathIsNone) {
  AgentPython agent("a", Dir());
  EXPECT_TRUE(IsCached(agent));
}

// The release that follows the close is sent when the program is gone on already.
TEST_F(Requests, ReadingACachedFileIsAnOpen) {
  AgentPython agent("a", Dir());
  ASSERT_TRUE(IsCached(agent));
  const std::string read = "fd = os.open(" + File() + ", os.O_RDONLY); os.read(fd, 100); os.close(fd)";
  ASSERT_EQ(agent.Do(read), "ok");
  Counts counts = Of(agent, read);
  counts.erase("release");
  EXPECT_THAT(counts, ::testing::UnorderedElementsAre(::testing::Pair("open", 1)));
}

// Sent round once: an open, the three components and the name once more, an open. Linux itself asks for the file's
// privileges before it truncates and before it writes: that is on top, whatever we answer.
TEST_F(Requests, ASaveOfAFileThatNobodySavedIsNine) {
  AgentPython agent("a", Dir());
  ASSERT_TRUE(IsCached(agent));
  Counts counts = Of(agent, WriteScript("new"));
  EXPECT_LE(counts["getxattr"], 2U);
  counts.erase("getxattr");
  EXPECT_LE(Sum(counts), 9U) << ::testing::PrintToString(counts);
  EXPECT_EQ(Show("d/f"), "new");
}

TEST_F(Requests, TheNextSaveIsFive) {
  AgentPython agent("a", Dir());
  ASSERT_EQ(agent.Do(WriteScript("new")), "ok");
  Counts counts = Of(agent, WriteScript("newer"));
  counts.erase("getxattr");
  EXPECT_LE(Sum(counts), 5U) << ::testing::PrintToString(counts);
  EXPECT_EQ(Show("d/f"), "newer");
}

TEST_F(Requests, SoIsASaveOfAnotherFileThatNobodyLookedAt) {
  Must("maker", "echo old > d/g");
  AgentPython agent("a", Dir());
  ASSERT_EQ(agent.Do(WriteScript("new")), "ok");
  const std::string other = "'" + (Dir() / "d" / "g").string() + "'";
  Counts counts =
      Of(agent, "fd = os.open(" + other + ", os.O_WRONLY | os.O_TRUNC); os.write(fd, b'new'); os.close(fd)");
  counts.erase("getxattr");
  EXPECT_LE(Sum(counts), 6U) << ::testing::PrintToString(counts);  // one more to find that it isn't the maker's
  EXPECT_EQ(Show("d/g"), "new");
}

}  // namespace
}  // namespace concordfs::mounttest
