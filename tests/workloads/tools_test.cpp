// Package managers, archivers, copiers, databases and searchers in the mount.
#include "tests/workloads/workload.h"

namespace concordfs::mounttest {
namespace {

using ::testing::HasSubstr;

// A tree of sources at $OUT/tree: modes, symlinks, odd names, times, an empty directory.
constexpr char kTree[] = R"(
mkdir -p tree/src/deep tree/empty; cd tree
for i in $(seq 150); do printf 'line %d\n' $(seq $i) > src/deep/f$i.c; done
printf 'x' > "src/with space"; printf 'y' > $'src/with\nnewline'; : > src/empty-file; head -c 300000 /dev/urandom > blob
ln -s src/deep/f1.c link; ln -s /nonexistent dangling; ln -s src dirlink
chmod 755 src/deep/f1.c; chmod 600 src/deep/f2.c; chmod 750 src
find . -exec touch -h -d '2012-03-04 05:06:07.123456789' {} +
)";

class ToolWorkload : public WorkloadTest {};

TEST_F(ToolWorkload, UnpacksAndPacksWithTar) {
  MustOutside(kTree);
  MustOutside("tar cf tree.tar tree");
  for (const char* place : {"versioned", "out"}) {
    Must(std::string("mkdir ") + place);
    Must("tar xpf $OUT/tree.tar; diff -r --no-dereference $OUT/tree tree; tar df $OUT/tree.tar", place);
    mount().Unmount();
    mount().Remount();
    EXPECT_EQ(Must("tar df $OUT/tree.tar; tar cf - tree | tar tvf - --full-time | sort", place),
              MustOutside("tar tvf tree.tar --full-time | sort"));
  }
}

TEST_F(ToolWorkload, CopiesInAndOutWithRsync) {
  MustOutside(kTree);
  for (const std::string place : {"versioned", "out"}) {
    const std::string in = "rsync -a --delete --itemize-changes $OUT/tree/ " + place + "/";
    const std::string out = "rsync -a --delete --itemize-changes " + place + "/ $OUT/back-" + place + "/";
    EXPECT_THAT(Must("mkdir " + place + ";" + in), HasSubstr("f150.c"));
    const int commits = repository().CommitCount();
    EXPECT_EQ(Must(in), "") << "the second time";
    Must(out);
    EXPECT_EQ(Must(out), "");
    mount().Unmount();
    mount().Remount();
    EXPECT_EQ(Must(in), "") << "after a remount";
    EXPECT_EQ(Must(out), "");
    EXPECT_EQ(Must("rsync -ac --delete --itemize-changes $OUT/tree/ $OUT/back-" + place + "/"), "")
        << "and what came out is what went in";
    EXPECT_EQ(repository().CommitCount(), commits);
  }
  MustOutside("echo more >> tree/blob; rm tree/link; chmod 755 tree/src/deep/f3.c");
  const int commits = repository().CommitCount();
  Must("rsync -a --delete $OUT/tree/ versioned/");
  EXPECT_EQ(repository().CommitCount(), commits + 3) << "what changed, and nothing else";
}

TEST_F(ToolWorkload, MakesAVirtualEnvironmentWithPython) {
  const std::string head = repository().Head();
  Must("$PYTHON -m venv --without-pip out/venv; mkdir out/venv/lib/mine");
  Must(
      "for i in 1 2 3; do echo \"value = $i\" > out/venv/lib/mine/m$i.py; done; out/venv/bin/python -m compileall -q "
      "out/venv");
  EXPECT_EQ(Must("PYTHONPATH=out/venv/lib/mine out/venv/bin/python -c 'import m2, sys; print(m2.value, "
                 "sys.prefix.endswith(\"out/venv\"))'"),
            "2 True\n");
  EXPECT_EQ(repository().Head(), head);
  Must("printf '__pycache__/\\n' >> .gitignore; mkdir pkg; echo 'x = 1' > pkg/__init__.py; echo 'y = 2' > pkg/m.py");
  const std::string import_it = "unset PYTHONDONTWRITEBYTECODE; $PYTHON -c 'import pkg.m; print(pkg.m.y)'";
  EXPECT_EQ(Must(import_it + "; ls pkg/__pycache__ | wc -l"), "2\n2\n");
  ExpectNeverInHistory("\\.pyc");
  // Byte code is valid as long as the source's mtime is the same: also after a remount.
  const std::string times = Must("cd pkg/__pycache__; stat -c '%n %i %.9Y' *");
  mount().Unmount();
  mount().Remount();
  EXPECT_EQ(Must(import_it), "2\n");
  EXPECT_EQ(Must("cd pkg/__pycache__; stat -c '%n %i %.9Y' *"), times) << "nothing was compiled again";
}

TEST_F(ToolWorkload, RunsSqliteWithALogFromTwoProcesses) {
  constexpr char kWriter[] = R"(
import sqlite3, sys
base = sqlite3.connect('out/base.db', timeout=60, isolation_level=None)
for n in range(200): base.execute('insert into t values (?, ?)', (sys.argv[1], n))
)";
  EXPECT_EQ(Must("mkdir out; $PYTHON -c \"import sqlite3; b = sqlite3.connect('out/base.db'); "
                 "print(b.execute('pragma journal_mode=wal').fetchone()[0]); b.execute('create table t (who text, n "
                 "integer)')\""),
            "wal\n");
  WriteFile(Outside() / "writer.py", kWriter);
  Must("$PYTHON $OUT/writer.py one & one=$!; CONCORDFS_AGENT=other $PYTHON $OUT/writer.py two; wait $one");
  constexpr char kCount[] =
      "$PYTHON -c \"import sqlite3; b = sqlite3.connect('out/base.db'); print(b.execute('pragma "
      "integrity_check').fetchone()[0], "
      "b.execute('select count(*), count(distinct who), sum(n) from t').fetchone())\"";
  EXPECT_EQ(Must(kCount), "ok (400, 2, 39800)\n");
  mount().Kill9();
  mount().Remount();
  EXPECT_EQ(Must(kCount), "ok (400, 2, 39800)\n");
}

TEST_F(ToolWorkload, SearchesWithRipgrepAndGrepAndFind) {
  MustOutside(kTree);
  Must("cp -r $OUT/tree/src src; mkdir out; echo needle > out/ignored; echo needle > src/deep/found; git init -q");
  EXPECT_EQ(Must("rg --files-with-matches needle ."), "./src/deep/found\n");
  EXPECT_EQ(Must("rg --no-ignore --files-with-matches --sort path needle ."), "./out/ignored\n./src/deep/found\n");
  EXPECT_EQ(Must("rg --count-matches --mmap '^line 1$' src | wc -l"), "150\n");
  EXPECT_EQ(Must("grep -rl needle --exclude-dir=.git . | sort"), "./out/ignored\n./src/deep/found\n");
  EXPECT_EQ(Must("find src -name '*.c' -newermt 2001-01-01 | wc -l; git ls-files -o --exclude-standard -z | tr -cd "
                 "'\\0' | wc -c"),
            "150\n155\n");
}

}  // namespace
}  // namespace concordfs::mounttest
