#include "fs/attributes.h"

#include <gtest/gtest.h>

namespace concordfs::fs {
namespace {

using vcs::FileMode;

TEST(PermissionsOf, FollowGitsExecBitAndKeepPrivateWhatIsPrivate) {
  struct Case {
    FileMode git;
    mode_t asked;
    mode_t shown;
  };
  constexpr Case kCases[] = {
      // Git's bit is the owner's already: whatever else was asked for holds.
      {FileMode::kRegular, 0644, 0644},
      {FileMode::kRegular, 0600, 0600},
      {FileMode::kRegular, 0000, 0000},
      {FileMode::kRegular, 0655, 0655},
      {FileMode::kRegular, 06644, 06644},
      {FileMode::kExecutable, 0755, 0755},
      {FileMode::kExecutable, 0700, 0700},
      {FileMode::kExecutable, 0744, 0744},
      {FileMode::kExecutable, 07755, 07755},
      // It came: to run the file is for who may read it.
      {FileMode::kExecutable, 0644, 0755},
      {FileMode::kExecutable, 0600, 0700},
      {FileMode::kExecutable, 0640, 0750},
      {FileMode::kExecutable, 0604, 0705},
      {FileMode::kExecutable, 0000, 0100},
      {FileMode::kExecutable, 0222, 0322},
      {FileMode::kExecutable, 0655, 0755},
      {FileMode::kExecutable, 01640, 01750},
      // It went: for all, and with it what makes a program run as somebody else.
      {FileMode::kRegular, 0755, 0644},
      {FileMode::kRegular, 0700, 0600},
      {FileMode::kRegular, 0750, 0640},
      {FileMode::kRegular, 0711, 0600},
      {FileMode::kRegular, 06755, 0644},
      {FileMode::kRegular, 01777, 0666},
      // Of these git holds no bit.
      {FileMode::kSymlink, 0600, 0777},
      {FileMode::kDirectory, 02750, 02750},
      {FileMode::kSubmodule, 0755, 0755},
  };
  for (const Case& one : kCases) {
    EXPECT_EQ(PermissionsOf(one.git, one.asked), one.shown)
        << std::oct << static_cast<unsigned>(one.git) << " where " << one.asked << " was asked for";
    EXPECT_EQ(PermissionsOf(one.git, one.shown), one.shown) << std::oct << one.shown << " stays what it is";
  }
}

TEST(PermissionsOf, ComeBackWhenGitsBitIsTakenBack) {
  for (const mode_t mode : {0644U, 0600U, 0640U, 0444U}) {
    EXPECT_EQ(PermissionsOf(FileMode::kRegular, PermissionsOf(FileMode::kExecutable, mode)), mode) << std::oct << mode;
  }
}

}  // namespace
}  // namespace concordfs::fs
