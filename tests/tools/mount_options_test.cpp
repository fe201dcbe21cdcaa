#include "tools/mount_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace concordfs::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

MountRequest Read(std::string_view list) {
  MountRequest request;
  const auto read = ReadOptionList(list, request);
  EXPECT_TRUE(read) << read.error().message;
  return request;
}

Error ReadFailing(std::string_view list) {
  MountRequest request;
  const auto read = ReadOptionList(list, request);
  EXPECT_FALSE(read) << list;
  return read ? Error{Code::kIo, ""} : read.error();
}

TEST(ReadOptionList, TakesOurOwnOptions) {
  const MountRequest request =
      Read("branch=dev,agent=bot,durability=power,ro,allow_other,max_file_size=2M,cache_memory=5M,uid=7,gid=8,"
           "scratch=/build/,scratch=*.o,temporary=*.bak,no_default_temporaries,no_passthrough,"
           "remote=ssh://h/x,ssh_key=/k,remote_token_file=/t,fetch_period=0.5,remote_timeout=30,push=async,push_backlog=7,push_rejected");
  EXPECT_EQ(request.branch, "dev");
  EXPECT_EQ(request.agent, "bot");
  EXPECT_EQ(request.durability, vcs::git::Durability::kPower);
  EXPECT_TRUE(request.read_only);
  EXPECT_TRUE(request.allow_other);
  EXPECT_EQ(request.max_file_size, 2U << 20);
  EXPECT_EQ(request.cache_memory, 5U << 20);
  EXPECT_EQ(request.scratch, (std::vector<std::string>{"/build/", "*.o"}));
  EXPECT_EQ(request.temporaries, (std::vector<std::string>{"*.bak"}));
  EXPECT_FALSE(request.default_temporaries);
  EXPECT_FALSE(request.passthrough);
  EXPECT_EQ(request.remote, "ssh://h/x");
  EXPECT_EQ(request.ssh_key, "/k");
  EXPECT_EQ(request.remote_token_file, "/t");
  EXPECT_EQ(request.fetch_period, std::chrono::milliseconds(500));
  EXPECT_EQ(request.remote_timeout, std::chrono::seconds(30));
  EXPECT_EQ(request.push, vcs::PushMode::kAsync);
  EXPECT_EQ(request.push_backlog, 7U);
  EXPECT_TRUE(request.push_rejected);
  EXPECT_EQ(request.uid, 7U);
  EXPECT_EQ(request.gid, 8U);
  EXPECT_THAT(request.fuse_options, IsEmpty());
}

TEST(ReadOptionList, IgnoresWhatMountProgramsSayAmongThemselves) {
  const MountRequest request = Read(
      "rw,defaults,auto,noauto,user,nouser,user=joe,users,nofail,_netdev,dev,suid,exec,x-systemd.automount,X-y=1,"
      "comment=z,");
  EXPECT_FALSE(request.read_only);
  EXPECT_THAT(request.fuse_options, IsEmpty());
}

TEST(ReadOptionList, HandsTheRestToLibfuseInOrder) {
  EXPECT_THAT(Read("nosuid,rw,max_read=131072,nodev").fuse_options, ElementsAre("nosuid", "max_read=131072", "nodev"));
}

TEST(ReadOptionList, TakesAnEscapedCommaIntoTheValue) {
  const MountRequest request = Read("branch=a\\,b,agent=c\\\\d");
  EXPECT_EQ(request.branch, "a,b");
  EXPECT_EQ(request.agent, "c\\d");
}

TEST(ReadOptionList, LetsTheLastOfTwoCount) {
  EXPECT_EQ(Read("branch=one,branch=two").branch, "two");
}

TEST(ReadOptionList, RefusesValuesThatAnOptionDoesNotHave) {
  for (const char* list :
       {"branch=", "branch", "agent=", "scratch=", "temporary=", "durability=disk", "max_file_size=x", "cache_memory=x", "remote=", "ssh_key=", "remote_token_file=", "fetch_period=0", "fetch_period=-1", "remote_timeout=1m", "push=later", "push=", "push_backlog=many", "uid=joe", "gid=1x", "uid=-1"}) {
    EXPECT_EQ(ReadFailing(list).code, Code::kInvalidArgument) << list;
  }
  EXPECT_THAT(ReadFailing("ro,uid=joe").message, HasSubstr("uid=joe"));
}

TEST(ParseByteCount, KnowsPowersOf1024) {
  const auto parsed = [](std::string_view text) { return ParseByteCount(text) ? *ParseByteCount(text) : 0; };
  EXPECT_EQ(parsed("1"), 1U);
  EXPECT_EQ(parsed("3K"), 3072U);
  EXPECT_EQ(parsed("3M"), 3ULL << 20);
  EXPECT_EQ(parsed("4G"), kDefaultMaxFileSize);
  EXPECT_EQ(parsed("2T"), 2ULL << 40);
  ASSERT_TRUE(ParseByteCount("0"));
  EXPECT_EQ(*ParseByteCount("0"), 0U);
  EXPECT_EQ(parsed("18446744073709551615"), UINT64_MAX);
}

TEST(ParseByteCount, RefusesEverythingElse) {
  for (const char* text :
       {"", "K", "-1", "+1", " 1", "1 ", "1k", "1KB", "1.5G", "0x10", "18446744073709551616", "16777216T"}) {
    EXPECT_FALSE(ParseByteCount(text)) << text;
  }
}

TEST(Durability, HasANameForEachThatParsesBack) {
  for (const auto durability : {vcs::git::Durability::kProcess, vcs::git::Durability::kPower}) {
    const auto parsed = ParseDurability(DurabilityName(durability));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, durability);
  }
  EXPECT_FALSE(ParseDurability("Power"));
  EXPECT_FALSE(ParseDurability(""));
}

TEST(WithMountCommand, AddsItForAMountHelper) {
  EXPECT_THAT(WithMountCommand("/sbin/mount.concordfs", {"r", "m", "-o", "rw"}),
              ElementsAre("mount", "r", "m", "-o", "rw"));
  EXPECT_THAT(WithMountCommand("mount.fuse.concordfs", {"r", "m"}), ElementsAre("mount", "r", "m"));
}

TEST(WithMountCommand, AddsItForTheCallOfMountFuse) {
  EXPECT_THAT(WithMountCommand("concordfs", {"r", "m", "-o", "rw"}), ElementsAre("mount", "r", "m", "-o", "rw"));
}

TEST(WithMountCommand, LeavesCommandsAlone) {
  EXPECT_THAT(WithMountCommand("concordfs", {"mount", "r", "m", "-o", "rw"}),
              ElementsAre("mount", "r", "m", "-o", "rw"));
  EXPECT_THAT(WithMountCommand("/usr/bin/concordfs", {"run", "sort", "-o", "f"}),
              ElementsAre("run", "sort", "-o", "f"));
  EXPECT_THAT(WithMountCommand("concordfs", {}), IsEmpty());
  EXPECT_THAT(WithMountCommand("/opt/mount.d/concordfs", {"status"}), ElementsAre("status"));
}

}  // namespace
}  // namespace concordfs::tools
