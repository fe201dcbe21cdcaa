#include "tools/status_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace concordfs::tools {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json Status() {
  return json::parse(R"({
    "repository": "/srv/r.git", "branch": "refs/heads/main", "mountpoint": "/mnt/r", "pid": 42,
    "head": "0123456789abcdef0123456789abcdef01234567", "read_only": false, "durability": "process",
    "counters": {"commits": 7, "unchanged": 1, "refusals": 2, "parked": 2, "lost_swaps": 3, "batches": 5,
                 "outside_moves": 4, "queue_depth": 0, "failures": 6},
    "scratch": {"passthrough": true, "nodes": 9, "open_files": 2, "read_requests": 0, "write_requests": 1},
    "agents": [
      {"name": "andrew", "known_paths": 3, "working_copies": [
        {"path": "a\nb", "base": "100644 abcdefabcdefabcdefabcdefabcdefabcdefabcd",
         "base_commit": "0123456789abcdef0123456789abcdef01234567", "stale": true, "dirty": false, "size": 12,
         "handles": 2}]},
      {"name": "benson", "known_paths": 1, "working_copies": []}],
    "truncated": false})");
}

TEST(StatusTable, SaysWhatIsMountedWhere) {
  const std::string text = StatusTable(Status());
  EXPECT_THAT(text, HasSubstr("repository  /srv/r.git\n"));
  EXPECT_THAT(text, HasSubstr("branch      refs/heads/main at 0123456789ab\n"));
  EXPECT_THAT(text, HasSubstr("mounted on  /mnt/r, pid 42, durability process\n"));
  EXPECT_THAT(text, Not(HasSubstr("read-only")));
}

TEST(StatusTable, ShowsEveryCounter) {
  EXPECT_THAT(StatusTable(Status()), HasSubstr("commits 7, unchanged 1, refusals 2, parked 2, lost swaps 3, batches 5, "
                                               "outside moves 4, queue depth 0, failures 6"));
}

TEST(StatusTable, SaysWhoReadsAndWritesScratchFiles) {
  json status = Status();
  EXPECT_THAT(StatusTable(status),
              HasSubstr("scratch     read and written by the kernel, 2 open, read requests 0, write requests 1\n"));
  status["scratch"]["passthrough"] = false;
  EXPECT_THAT(StatusTable(status), HasSubstr("scratch     read and written by the daemon, 2 open"));
}

TEST(StatusTable, ShowsEachWorkingCopyBelowItsAgent) {
  const std::string text = StatusTable(Status());
  EXPECT_THAT(text, HasSubstr("  andrew: knows 3 paths, has 1 working copies\n"));
  EXPECT_THAT(text, HasSubstr("    PATH    BASE                 STALE  DIRTY  SIZE  HANDLES\n"));
  EXPECT_THAT(text, HasSubstr("    \"a\\nb\"  100644 abcdefabcdef  yes    no     12    2\n"));
  EXPECT_THAT(text, HasSubstr("  benson: knows 1 paths, has 0 working copies\n"));
}

TEST(StatusTable, ShowsTheRemote) {
  json status = Status();
  status["remote"] = {{"url", "ssh://h/x"}, {"state", "unreachable"}, {"lag", 3}, {"pushes", 5}, {"last_push_ms", 7}, {"refused", 1},
                      {"fetches", 2}, {"failures", 4}, {"last_error", "no route"}};
  const std::string text = StatusTable(status);
  EXPECT_THAT(text, HasSubstr("remote      ssh://h/x: unreachable, answered 3 s ago; 5 pushes (the last took 7 ms), 1 refused, 2 fetches, 4 failures\n"));
  EXPECT_THAT(text, HasSubstr("            no route\n"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("async")));
  status["remote"].update({{"push", "async"}, {"waiting", 9}, {"oldest", 8}, {"lost", 7}, {"lost_untold", 6}});
  EXPECT_THAT(StatusTable(status), HasSubstr("push async: 9 commits wait, the oldest for 8 s; 7 lost, of which agents have to hear of 6 paths\n"));
  status["remote"]["rejected"] = {{"pushed", 3}, {"waiting", 2}, {"declined", 1}};
  EXPECT_THAT(StatusTable(status), HasSubstr("parked work: 3 pushed, 2 wait, 1 declined\n"));
  status["remote"]["state"] = "up to date";
  EXPECT_THAT(StatusTable(status), ::testing::Not(HasSubstr("no route")));
}

TEST(StatusTable, SaysThatItWasCut) {
  json status = Status();
  status["truncated"] = true;
  status["read_only"] = true;
  EXPECT_THAT(StatusTable(status), HasSubstr("(cut: there is more than fits)\n"));
  EXPECT_THAT(StatusTable(status), HasSubstr("read-only"));
}

TEST(StatusTable, ShowsAStatusThatLacksMembers) {
  const std::string text = StatusTable(json::object());
  EXPECT_THAT(text, HasSubstr("branch      - at -\n"));
  EXPECT_THAT(text, HasSubstr("agents      none yet\n"));
}

}  // namespace
}  // namespace concordfs::tools
