#include "tools/parked_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/tools/parked_repository.h"

namespace concordfs::tools {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(ParkedChange, ListsRejectedAndRecoveredOldestFirst) {
  ParkedRepository repository;
  const auto first = repository.Park("docs/file.md", "A\nandrew\n");
  const auto second = repository.Park("new", "x", vcs::FileMode::kRegular, vcs::kRecoveredPrefix);
  const auto third = repository.Park("docs/file.md", "A\nagain\n");
  const auto list = ListParked(repository.store());
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[0].id, first.id);
  EXPECT_EQ((*list)[1].id, second.id);
  EXPECT_EQ((*list)[2].id, third.id);
  EXPECT_STREQ(ParkedKind((*list)[0]), "rejected");
  EXPECT_STREQ(ParkedKind((*list)[1]), "recovered");
}

TEST(ParkedChange, KnowsTheVersionThatWasWanted) {
  ParkedRepository repository;
  const auto script = repository.Park("run.sh", "#!/bin/sh\n", vcs::FileMode::kExecutable);
  const auto version = ParkedVersion(repository.store(), script);
  ASSERT_TRUE(version) << version.error().message;
  ASSERT_TRUE(version->has_value());
  EXPECT_EQ((*version)->mode, vcs::FileMode::kExecutable);
  const auto content = repository.store().Read((*version)->blob, vcs::ObjectKind::kBlob);
  ASSERT_TRUE(content);
  EXPECT_EQ(*content, "#!/bin/sh\n");
}

TEST(ParkedChange, KnowsThatADeletionWasWanted) {
  ParkedRepository repository;
  const auto deleted = repository.Park("docs/file.md", std::nullopt);
  const auto version = ParkedVersion(repository.store(), deleted);
  ASSERT_TRUE(version) << version.error().message;
  EXPECT_FALSE(version->has_value());
  EXPECT_THAT(ParkedDescription(deleted, *version), HasSubstr("mine     absent\n"));
}

TEST(ParkedChange, IsOneRowInTheTable) {
  ParkedRepository repository;
  const auto parked = repository.Park("docs/file.md", "A\nandrew\n");
  const std::string table = ParkedTable({parked});
  EXPECT_THAT(table, testing::StartsWith("ID            KIND      AGENT   PATH          WON BY  TIME\n"));
  EXPECT_THAT(table, HasSubstr(parked.id + "  rejected  andrew  docs/file.md  benson  2023-11-14T22:13:21Z\n"));
  EXPECT_EQ(ParkedTable({}), "Nothing is parked.\n");
}

TEST(ParkedChange, HasEveryMemberInJson) {
  ParkedRepository repository;
  const auto parked = repository.Park("docs/file.md", "A\nandrew\n");
  const json shown = ParkedJson(parked);
  EXPECT_EQ(shown["id"], parked.id);
  EXPECT_EQ(shown["kind"], "rejected");
  EXPECT_EQ(shown["ref"], "refs/concordfs/rejected/andrew/" + parked.id);
  EXPECT_EQ(shown["agent"], "andrew");
  EXPECT_EQ(shown["path"], "docs/file.md");
  EXPECT_THAT(shown["base"].get<std::string>(), testing::StartsWith("100644 "));
  EXPECT_EQ(shown["head"], shown["base"]);
  EXPECT_EQ(shown["winner"], "benson");
  EXPECT_EQ(shown["reason"], "the file changed meanwhile");
  EXPECT_EQ(shown["process"], "1234 bash");
  EXPECT_EQ(shown["commit"], parked.commit.Hex());
  EXPECT_EQ(shown["parent"], repository.head().Hex());
  EXPECT_EQ(shown["time"], "2023-11-14T22:13:21Z");
  EXPECT_EQ(shown["time_s"], 1'700'000'001);
  EXPECT_EQ(shown.size(), 14U);
}

TEST(ParkedChange, HasJsonForAPathThatIsNotUtf8) {
  ParkedRepository repository;
  const auto parked = repository.Park("bad\xFF\nname", "x");
  const json parsed = json::parse(JsonText(ParkedJson(parked)));
  EXPECT_EQ(parsed["path"], "bad\xEF\xBF\xBD\nname");
  EXPECT_THAT(ParkedTable({parked}), HasSubstr("\"bad\\377\\nname\""));
}

}  // namespace
}  // namespace concordfs::tools
