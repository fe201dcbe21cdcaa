// npm in the mount, with packages that the test makes: nothing is fetched.
#include "tests/workloads/workload.h"

namespace concordfs::mounttest {
namespace {

using ::testing::HasSubstr;

class NpmWorkload : public WorkloadTest {};

TEST_F(NpmWorkload, InstallsPackagesWithNpm) {
  MustOutside(R"(
for p in left right top; do mkdir $p; echo "exports.name = '$p'" > $p/index.js; done
echo '{"name":"left","version":"1.0.0","bin":{"left-bin":"index.js"}}' > left/package.json
echo '{"name":"right","version":"1.2.0","dependencies":{"left":"file:'$OUT'/left-1.0.0.tgz"}}' > right/package.json
echo '{"name":"@scope/top","version":"2.0.0"}' > top/package.json
export HOME=$OUT
for p in left right top; do npm pack --silent --offline ./$p > /dev/null; done
ls *.tgz)");
  const std::string npm = "HOME=$OUT npm --offline --no-audit --no-fund --no-update-notifier ";
  Must("echo '{\"name\":\"app\",\"version\":\"1.0.0\"}' > package.json");
  Must(npm + "install $OUT/right-1.2.0.tgz $OUT/scope-top-2.0.0.tgz");
  EXPECT_EQ(Must("$NODE -p 'require(\"right\").name + require(\"left\").name + require(\"@scope/top\").name'"),
            "rightlefttop\n");
  Must("test -x node_modules/.bin/left-bin");
  EXPECT_THAT(repository().Log("%s", "package.json").back(), HasSubstr("package.json"));
  EXPECT_EQ(Must("ls -A"), ".gitignore\nnode_modules\npackage-lock.json\npackage.json\n");
  const std::string head = repository().Head();
  Must("rm -r node_modules; " + npm + "ci");
  Must(npm + "ls");
  EXPECT_EQ(repository().Head(), head) << "no commit for a scratch file";
}

}  // namespace
}  // namespace concordfs::mounttest
