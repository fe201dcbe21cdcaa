// Random operations on stores of attributes against a simple model, with reopening, compaction, and two daemons.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>

#include "fs/attribute_store.h"
#include "tests/model/seed.h"
#include "tests/support/expect_result.h"
#include "tests/support/paths.h"
#include "tests/support/temp_dir.h"

namespace concordfs::fs {
namespace {

using testing::kMain;
using testing::Path;

// Modes of directories and mtimes' seconds, by path. The simplest thing that could be right.
class Model {
 public:
  void Update(const std::string& path, mode_t mode) { modes_[path] = mode; }
  void Forget(const std::string& path) { modes_.erase(path); }
  void ForgetBelow(const std::string& path) {
    std::erase_if(modes_, [&](const auto& each) { return IsBelow(each.first, path); });
  }
  void Rename(const std::string& from, const std::string& to) {
    if (from == to) return;
    const auto moved = Take(from);
    Take(to);
    Put(moved, from, to);
  }
  void Exchange(const std::string& a, const std::string& b) {
    const auto of_a = Take(a);
    const auto of_b = Take(b);
    Put(of_a, a, b);
    Put(of_b, b, a);
  }
  const std::map<std::string, mode_t>& modes() const { return modes_; }

 private:
  static bool IsBelow(const std::string& path, const std::string& directory) {
    return path.starts_with(directory + "/");
  }
  std::map<std::string, mode_t> Take(const std::string& path) {
    std::map<std::string, mode_t> taken;
    for (const auto& each : modes_) {
      if (each.first == path || IsBelow(each.first, path)) taken.insert(each);
    }
    std::erase_if(modes_, [&](const auto& each) { return taken.contains(each.first); });
    return taken;
  }
  void Put(const std::map<std::string, mode_t>& taken, const std::string& from, const std::string& to) {
    for (const auto& [path, mode] : taken) modes_[to + path.substr(from.size())] = mode;
  }

  std::map<std::string, mode_t> modes_;
};

class RandomAttributes {
 public:
  explicit RandomAttributes(std::uint64_t seed) : random_(seed) {}

  std::size_t Below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }

  std::string SomePath() {
    static const std::vector<std::string> kNames = {"a", "b", "a-", "a0", "\xff", "n\nl"};
    std::string path = kNames[Below(kNames.size())];
    while (Below(2) == 0 && path.size() < 12) path += "/" + kNames[Below(kNames.size())];
    return path;
  }
  // One operation, on a store and on the model.
  void Do(AttributeStore& store, Model& model) {
    const std::string a = SomePath();
    const std::string b = SomePath();
    const bool nested = Path(a).IsAtOrBelow(Path(b)) || Path(b).IsAtOrBelow(Path(a));
    switch (Below(nested ? 6 : 10)) {
      case 0: store.Forget(Path(a)), model.Forget(a); break;
      case 1: store.ForgetBelow(Path(a)), model.ForgetBelow(a); break;
      case 6:
      case 7: store.Rename(Path(a), Path(b)), model.Rename(a, b); break;
      case 8: store.Exchange(Path(a), Path(b)), model.Exchange(a, b); break;
      default: {
        Attributes change;
        change.mode = static_cast<mode_t>(Below(07777));
        store.UpdateDirectory(Path(a), change);
        model.Update(a, *change.mode);
      }
    }
  }

 private:
  std::mt19937_64 random_;
};

void ExpectSame(const AttributeStore& store, const Model& model) {
  ASSERT_EQ(store.size(), model.modes().size());
  for (const auto& [path, mode] : model.modes()) {
    const auto found = store.FindDirectory(Path(path));
    ASSERT_TRUE(found) << vcs::Quoted(path);
    ASSERT_EQ(found->mode, mode) << vcs::Quoted(path);
  }
}

std::unique_ptr<AttributeStore> Open(const TempDir& folder) {
  auto store = AttributeStore::Open(folder.path(), kMain, LogAccess::kReadWrite);
  if (!store) throw std::runtime_error(store.error().message);
  return *std::move(store);
}

TEST(AttributeRandom, IsWhatTheModelIsAcrossReopening) {
  RandomAttributes random(testing::Seed());
  const TempDir folder;
  Model model;
  auto store = Open(folder);
  for (int step = 0; step < 4000; ++step) {
    random.Do(*store, model);
    switch (random.Below(100)) {
      case 0:
        ASSERT_OK(store->Flush());
        store = Open(folder);
        break;
      case 1: ASSERT_OK(store->Refresh()); break;
      case 2: ASSERT_OK(store->Sync()); break;
      default:
        if (random.Below(3) == 0) {
          ASSERT_OK(store->Flush());
        }
    }
    if (random.Below(50) == 0) {
      SCOPED_TRACE("step " + std::to_string(step));
      ASSERT_NO_FATAL_FAILURE(ExpectSame(*store, model));
    }
  }
  ASSERT_OK(store->Flush());
  ExpectSame(*Open(folder), model);
}

TEST(AttributeRandom, TwoDaemonsAgreeInTheEnd) {
  RandomAttributes random(testing::Seed());
  const TempDir folder;
  std::array<std::unique_ptr<AttributeStore>, 2> stores = {Open(folder), Open(folder)};
  for (int step = 0; step < 6000; ++step) {
    Model ignored;
    auto& store = stores.at(random.Below(2));
    random.Do(*store, ignored);
    switch (random.Below(20)) {
      case 0: ASSERT_OK(store->Refresh()); break;
      case 1:
        if (random.Below(10) == 0) {
          ASSERT_OK(store->Flush());
          store.reset();  // meanwhile the other one may write the log anew
          ASSERT_OK((stores[0] ? stores[0] : stores[1])->Refresh());
          store = Open(folder);
        }
        break;
      default:
        if (random.Below(2) == 0) {
          ASSERT_OK(store->Flush());
        }
    }
    if (random.Below(200) != 0) continue;
    // Whatever each knew first, the log decides.
    for (const int i : {0, 1, 0}) ASSERT_OK(stores.at(i)->Flush());
    for (auto& each : stores) ASSERT_OK(each->Refresh());
    const auto third = Open(folder);
    Model wanted;
    for (int i = 0; i < 3000; ++i) {
      const std::string path = random.SomePath();
      if (const auto found = third->FindDirectory(Path(path))) wanted.Update(path, found->mode.value_or(0));
    }
    for (const auto& each : stores) {
      ASSERT_EQ(each->size(), third->size()) << "step " << step;
      for (const auto& [path, mode] : wanted.modes()) {
        const auto found = each->FindDirectory(Path(path));
        ASSERT_TRUE(found) << vcs::Quoted(path) << ", step " << step;
        ASSERT_EQ(found->mode, mode) << vcs::Quoted(path) << ", step " << step;
      }
    }
  }
}

TEST(AttributeRandom, LoadsAHundredThousandRecords) {
  const TempDir folder;
  constexpr int kRecords = 100000;
  {
    const auto store = Open(folder);
    Attributes change;
    change.mode = 0640;
    change.mtime = change.ctime = timespec{1700000000, 123456789};
    change.version = vcs::Version();
    for (int i = 0; i < kRecords; ++i) {
      store->UpdateFile(Path("some/directory-" + std::to_string(i % 300) + "/file-" + std::to_string(i) + ".txt"),
                        change);
      if (i % 10000 == 0) {
        ASSERT_OK(store->Flush());
      }
    }
    ASSERT_OK(store->Flush());
  }
  EXPECT_EQ(Open(folder)->size(), static_cast<std::size_t>(kRecords));
}

}  // namespace
}  // namespace concordfs::fs
