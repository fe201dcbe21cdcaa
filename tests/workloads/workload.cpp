#include "tests/workloads/workload.h"

#include <regex>

namespace concordfs::mounttest {

void WorkloadTest::SetUp() {
  MountlessTest::SetUp();
  if (HasFatalFailure()) return;
  outside_ = temp().MakeDirectory("outside");
  repository_.emplace(temp().path() / "repository");
  Clone clone(*repository_, temp().path() / "first");
  clone.Push(".gitignore", "out/\nnode_modules/\n");
  mount_.emplace(repository_->path(), temp().path() / "mnt");
  ASSERT_TRUE(mount_->mounted());
}

void WorkloadTest::TearDown() {
  if (!mount_) return;
  mount_.reset();
  EXPECT_EQ(repository_->Fsck(), "");
  ExpectNeverInHistory("(^|/)(out|node_modules|\\.git)/|~$|\\.sw.$|\\.tmp\\.");
  EXPECT_THAT(repository_->RefsUnder("refs/concordfs/"), ::testing::IsEmpty()) << "refused or recovered";
}

Outcome WorkloadTest::Run(const std::string& command, const std::string& directory) const {
  return RunAs("worker", "set -e; " + command, mount_->path() / directory,
               {{"OUT", outside_},
                {"GIT_AUTHOR_NAME", "w"},
                {"GIT_AUTHOR_EMAIL", "w@example.org"},
                {"GIT_COMMITTER_NAME", "w"},
                {"GIT_COMMITTER_EMAIL", "w@example.org"}});
}

std::string WorkloadTest::Must(const std::string& command, const std::string& directory) const {
  const Outcome outcome = Run(command, directory);
  EXPECT_EQ(outcome.status, 0) << command << "\n" << outcome;
  return outcome.out;
}

std::string WorkloadTest::MustOutside(const std::string& command) const {
  const Outcome outcome = RunAs("", "set -e; " + command, outside_, {{"OUT", outside_}});
  EXPECT_EQ(outcome.status, 0) << command << "\n" << outcome;
  return outcome.out;
}

void WorkloadTest::ExpectNeverInHistory(const std::string& pattern) const {
  const std::regex wanted(pattern);
  for (const std::string& path : Lines(repository_->Output({"log", "--format=", "--name-only", "main"}))) {
    EXPECT_FALSE(std::regex_search(path, wanted)) << path << " is in the history";
  }
}

std::string MakeSourceRepository(int files) {
  return "git init -q -b main source && cd source && for d in $(seq 0 19); do mkdir -p d$d/sub; done && "
         "for i in $(seq " +
         std::to_string(files) +
         "); do echo \"content of file $i\" > d$((i % 20))/sub/f$i; done && "
         "echo '#!/bin/sh' > run && chmod 755 run && ln -s d1/sub link && git add -A && "
         "git -c user.name=o -c user.email=o@example.org commit -q -m first && cd ..";
}

}  // namespace concordfs::mounttest
