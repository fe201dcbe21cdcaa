// The log of attributes after a crash: cut at any byte, written in part, damaged.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "fs/attribute_lines.h"
#include "fs/attribute_store.h"
#include "tests/support/expect_result.h"
#include "tests/support/paths.h"
#include "tests/support/temp_dir.h"

namespace concordfs::fs {
namespace {

using testing::kMain;
using testing::Path;

namespace stdfs = std::filesystem;

Attributes ChangeOfMode(mode_t mode) {
  Attributes change;
  change.mode = mode;
  return change;
}

// All that is known, as text.
std::string Contents(const stdfs::path& git_dir) {
  const auto store = AttributeStore::Open(git_dir, kMain, LogAccess::kReadOnly);
  if (!store) return store.error().message;
  std::string text;
  for (const char* path : {"a", "b", "b/x", "c", "c/x", "f", "\xff\n"}) {
    const auto file = (*store)->FindFile(Path(path), vcs::Version());
    const auto directory = (*store)->FindDirectory(Path(path));
    if (file) text += vcs::Quoted(path) + ":" + std::to_string(file->mode.value_or(0)) + " ";
    if (directory) text += vcs::Quoted(path) + "/:" + std::to_string(directory->mode.value_or(0)) + " ";
  }
  return text + std::to_string((*store)->size());
}

class AttributeCrashTest : public ::testing::Test {
 protected:
  std::unique_ptr<AttributeStore> Open() const {
    auto store = AttributeStore::Open(folder_.path(), kMain, LogAccess::kReadWrite);
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  stdfs::path Log() const { return AttributesFolder(folder_.path(), kMain) / "log"; }
  std::string LogText() const {
    std::ifstream file(Log(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void WriteLog(const std::string& text) const { std::ofstream(Log(), std::ios::binary) << text; }

  // What the store is told, step by step; one line of the log each.
  static void Tell(AttributeStore& store, int step) {
    switch (step) {
      case 0: store.UpdateFile(Path("a"), ChangeOfMode(0600)); break;
      case 1: store.UpdateDirectory(Path("b"), ChangeOfMode(0700)); break;
      case 2: store.UpdateFile(Path("b/x"), ChangeOfMode(0640)); break;
      case 3: store.UpdateFile(Path("\xff\n"), ChangeOfMode(0604)); break;
      case 4: store.Rename(Path("b"), Path("c")); break;
      case 5: store.Exchange(Path("a"), Path("c")); break;
      case 6: store.UpdateFile(Path("f"), ChangeOfMode(0666)); break;
      default: store.Forget(Path("\xff\n")); break;
    }
  }
  static constexpr int kSteps = 8;

  TempDir folder_;
};

TEST_F(AttributeCrashTest, FindsWhatWasCompleteAndGoesOnWhereverTheLogWasCut) {
  std::vector<std::string> contents;  // after so many steps
  std::string log;
  {
    const auto store = Open();
    for (int step = 0; step < kSteps; ++step) {
      contents.push_back(Contents(folder_.path()));
      Tell(*store, step);
      ASSERT_OK(store->Flush());
    }
    contents.push_back(Contents(folder_.path()));
    log = LogText();
  }
  ASSERT_EQ(std::count(log.begin(), log.end(), '\n'), kSteps);
  for (std::size_t size = 0; size <= log.size(); ++size) {
    SCOPED_TRACE("cut at byte " + std::to_string(size));
    const std::string cut = log.substr(0, size);
    const auto lines = static_cast<std::size_t>(std::count(cut.begin(), cut.end(), '\n'));
    WriteLog(cut);
    ASSERT_EQ(Contents(folder_.path()), contents[lines]);
    EXPECT_EQ(LogText(), cut) << "only read";
    const auto store = Open();
    EXPECT_EQ(LogText(), cut.substr(0, cut.rfind('\n') + 1));
    for (int step = static_cast<int>(lines); step < kSteps; ++step) Tell(*store, step);
    ASSERT_OK(store->Flush());
    ASSERT_EQ(Contents(folder_.path()), contents.back());
  }
}

TEST_F(AttributeCrashTest, EndsATornLineThatItCantCut) {
  const auto other = Open();
  other->UpdateFile(Path("a"), ChangeOfMode(0600));
  ASSERT_OK(other->Flush());
  const std::string whole = LogText();
  const std::string torn = R"({"file":"b","mo)";
  WriteLog(whole + torn);  // another daemon died while writing, and `other` lives
  const auto store = Open();
  EXPECT_EQ(LogText(), whole + torn) << "it might be a line that is being written";
  EXPECT_EQ(store->size(), 1U);
  store->UpdateFile(Path("c"), ChangeOfMode(0640));
  ASSERT_OK(store->Flush());
  ASSERT_OK(other->Refresh());
  for (const auto* each : {store.get(), other.get()}) {
    EXPECT_EQ(each->size(), 2U);
    EXPECT_EQ(each->FindFile(Path("c"), vcs::Version())->mode, 0640U);
  }
  EXPECT_EQ(Contents(folder_.path()), "a:384 c:416 2");
}

// Makes write(2) stop at a size of the file, for a scope.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(std::uint64_t size) {
    old_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_limit_);
    struct rlimit limit = old_limit_;
    limit.rlim_cur = size;
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) throw std::runtime_error(std::strerror(errno));
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_limit_);
    ::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  struct rlimit old_limit_ {};
  void (*old_handler_)(int) = nullptr;
};

TEST_F(AttributeCrashTest, WritesTheRestAfterAWriteThatStoppedAtAnyByte) {
  std::string wanted;
  std::uint64_t size = 0;
  {
    const auto store = Open();
    for (int step = 0; step < kSteps; ++step) Tell(*store, step);
    ASSERT_OK(store->Flush());
    wanted = Contents(folder_.path());
    size = store->log_size();
  }
  for (std::uint64_t limit = 0; limit < size; ++limit) {
    SCOPED_TRACE("stopped at byte " + std::to_string(limit));
    stdfs::remove(Log());
    const auto store = Open();
    const auto other = Open();
    for (int step = 0; step < kSteps; ++step) Tell(*store, step);
    {
      const FileSizeLimit full(limit);
      ASSERT_FALSE(store->Flush());
      ASSERT_FALSE(store->Flush());
    }
    if (limit % 2 == 0) {
      ASSERT_OK(other->Refresh());
    }
    ASSERT_OK(store->Flush());
    ASSERT_EQ(Contents(folder_.path()), wanted);
    ASSERT_OK(other->Refresh());
    EXPECT_EQ(other->size(), store->size());
    EXPECT_TRUE(other->FindFile(Path("a/x"), vcs::Version()));
    EXPECT_TRUE(store->FindFile(Path("a/x"), vcs::Version()));
  }
}

TEST_F(AttributeCrashTest, PassesOverDamagedLinesAndUsesTheRest) {
  stdfs::create_directories(Log().parent_path());
  WriteLog(
      "{\"file\":\"a\",\"mode\":384}\n"
      "garbage\n"
      "\n"
      "[1,2]\n"
      "{\"file\":\"a\",\"mode\":\"text\"}\n"
      "{\"file\":\"a\",\"mode\":-1}\n"
      "{\"file\":\"a\",\"mtime\":[1,1000000000]}\n"
      "{\"file\":\"a\",\"mtime\":[1]}\n"
      "{\"file\":\"a\",\"version\":\"100644 12\"}\n"
      "{\"file\":\"../a\",\"mode\":0}\n"
      "{\"file\":7,\"mode\":0}\n"
      "{\"rename\":\"a\"}\n"
      "{\"epoch\":1,\"commit\":\"xyz\",\"root\":\"\",\"time\":[0,0]}\n"
      "{\"from-the-future\":\"a\"}\n"
      "{\"file\":\"\xff\",\"mode\":0}\n" +
      std::string(70000, '[') + "\n" + std::string("\0\0\0", 3) +
      "\n"
      "{\"file\":\"f\",\"mode\":438,\"from-the-future\":{\"x\":[1]}}\n");
  EXPECT_EQ(Contents(folder_.path()), "a:384 f:438 2");
  const auto store = Open();
  store->UpdateFile(Path("c"), ChangeOfMode(0600));
  ASSERT_OK(store->Flush());
  EXPECT_EQ(Contents(folder_.path()), "a:384 c:384 f:438 3");
}

TEST_F(AttributeCrashTest, ReadsBackEveryLineItWrites) {
  vcs::ObjectId::Bytes bytes{};
  bytes[3] = 0xAB;
  const vcs::ObjectId id(bytes);
  Attributes all = ChangeOfMode(07777);
  all.version = vcs::Version{id, vcs::FileMode::kSymlink};
  all.kept = false;
  all.since = 7;
  all.mtime = timespec{-1, 5};
  const std::vector<AttributeOperation> operations = {
      SetAttributes{PathKind::kFile, Path("a\nb"), all},
      SetAttributes{PathKind::kDirectory, vcs::RepoPath(), Attributes()},
      ForgetAttributes{Path("\xff"), false},
      ForgetAttributes{vcs::RepoPath(), true},
      MoveAttributes{Path("a"), Path("b")},
      ExchangeAttributes{Path("a"), Path("b")},
      NoteEpoch{{4, id, id, timespec{5, 6}}},
      fs::AdvanceEpoch{4, id, id},
      DropEpoch{4},
      ResetAttributes{}};
  for (const auto& operation : operations) {
    const std::string line = EncodeLine(operation);
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
    const auto decoded = DecodeLine(std::string_view(line).substr(0, line.size() - 1));
    ASSERT_TRUE(decoded) << line;
    EXPECT_EQ(decoded->index(), operation.index());
    EXPECT_EQ(EncodeLine(*decoded), line);
  }
}

}  // namespace
}  // namespace concordfs::fs
