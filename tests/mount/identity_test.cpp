// Who is calling: the agent of a write.
#include "tests/mount/support/mount_test.h"

namespace concordfs::mounttest {
namespace {

using ::testing::MatchesRegex;

class Identity : public MountTest {
 protected:
  std::string LastAuthor() { return repository().Output({"log", "-1", "--format=%an", "main"}); }
};

TEST_F(Identity, IsTheEnvironmentVariableOfTheCaller) {
  Must("carol", "echo x > f");
  EXPECT_EQ(LastAuthor(), "carol");
}

TEST_F(Identity, IsInheritedByAllThatTheAgentStarts) {
  Must("carol", "bash -c \"dash -c '/bin/echo x | tee f'\"");
  EXPECT_EQ(LastAuthor(), "carol");
}

TEST_F(Identity, ChangesWithAnExecThatChangesTheVariable) {
  Must("carol", "echo x > f; exec env CONCORDFS_AGENT=dave bash -c 'echo y > g'");
  EXPECT_EQ(LastAuthor(), "dave");
}

// Between its start and its exec such a child runs in its parent's memory: what it was there is not what it is later.
TEST_F(Identity, IsThatOfTheProgramWhateverItsSpawnHadOpened) {
  AgentPython carol("carol", Dir());
  for (const std::string name : {"g1", "g2", "g3", "g4", "g5"}) {
    ASSERT_EQ(carol.Do("pid = os.posix_spawn('/bin/sh', ['sh', '-c', 'echo y > " + name +
                       "'], {'CONCORDFS_AGENT': 'dave'}, file_actions=[(os.POSIX_SPAWN_OPEN, 1, 'f', os.O_WRONLY | "
                       "os.O_CREAT, 0o644)]); os.waitpid(pid, 0)"),
              "ok");
    EXPECT_EQ(repository().Log("%an", InRepository(name)).back(), "dave");
  }
}

TEST_F(Identity, HasOtherCharactersReplaced) {
  Must("a b/c\nd<e>", "echo x > f");
  EXPECT_EQ(LastAuthor(), "a-b-c-d-e-");
  Must("\xc3\xa9t\xc3\xa9.1_2-3", "echo x > g");
  EXPECT_THAT(LastAuthor(), MatchesRegex("-+t-+.1_2-3"));
}

TEST_F(Identity, HasAtMost64Characters) {
  Must(std::string(200, 'x'), "echo x > f");
  EXPECT_EQ(LastAuthor(), std::string(64, 'x'));
}

TEST_F(Identity, OfNamesThatRefsCannotHoldCanStillBeParked) {
  for (const char* const agent : {"a..b", ".hidden", "x.lock", "-", ".", "..", "ends."}) {
    SCOPED_TRACE(agent);
    Must("andrew", "echo A > f");
    AgentPython python(agent, Dir());
    ASSERT_EQ(python.Do("fd = os.open('f', os.O_RDWR); os.read(fd, 9); os.write(fd, b'mine')"), "ok");
    Must("andrew", "echo B > f");
    const std::size_t parked = repository().RefsUnder("refs/concordfs/rejected").size();
    EXPECT_EQ(python.Do("os.close(fd)"), "ESTALE");
    EXPECT_EQ(repository().RefsUnder("refs/concordfs/rejected").size(), parked + 1);
    Must("andrew", "rm f");
  }
}

TEST_F(Identity, WithoutTheVariableIsUserAndLoginSession) {
  Must("", "echo x > f");
  EXPECT_THAT(LastAuthor(), MatchesRegex("root-s[0-9]+"));
}

TEST_F(Identity, OfAMountWithAnAgentIsThatAgentForEverybody) {
  Mount second(repository().path(), Outside() / "second", {"--agent", "robot"});
  ASSERT_TRUE(second.mounted());
  const Outcome outcome = RunAs("carol", "echo x > by-robot", second.path());
  EXPECT_EQ(outcome.status, 0) << outcome;
  EXPECT_EQ(LastAuthor(), "robot");
}

}  // namespace
}  // namespace concordfs::mounttest
