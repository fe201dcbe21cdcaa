// The arithmetic of locked ranges: cases by hand, and random ones against a table with one entry a byte.
#include "fs/lock_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/model/seed.h"

namespace concordfs::fs {
namespace {

constexpr LockOwner kMe = 1;
constexpr LockOwner kOther = 2;

LockRequest Record(LockType type, LockOwner owner, std::uint64_t start, std::uint64_t end) {
  LockRequest request;
  request.type = type;
  request.owner = owner;
  request.start = start;
  request.end = end;
  request.pid = static_cast<pid_t>(owner);
  return request;
}

LockRequest Flock(LockType type, LockOwner owner) {
  LockRequest request = Record(type, owner, 0, kLockToTheEnd);
  request.kind = LockKind::kFlock;
  return request;
}

// "r0-9", "w10-end", "u5-5"
LockRequest Parse(const std::string& text, LockOwner owner) {
  const LockType type = text[0] == 'r' ? LockType::kShared : text[0] == 'w' ? LockType::kExclusive : LockType::kUnlock;
  const std::size_t dash = text.find('-');
  const std::string end = text.substr(dash + 1);
  return Record(type, owner, std::stoull(text.substr(1, dash - 1)), end == "end" ? kLockToTheEnd : std::stoull(end));
}

// All that the owner has, as another one meets it.
std::string Held(const LockTable& table, LockOwner owner) {
  std::string text;
  std::uint64_t from = 0;
  while (from <= kLockToTheEnd) {
    const auto held = table.Conflict(Record(LockType::kExclusive, owner + 1000, from, kLockToTheEnd));
    if (!held) break;
    EXPECT_EQ(held->owner, owner);
    EXPECT_EQ(held->pid, static_cast<pid_t>(owner));
    text += (text.empty() ? "" : " ") + std::string(held->type == LockType::kShared ? "r" : "w") +
            std::to_string(held->start) + "-" + (held->end == kLockToTheEnd ? "end" : std::to_string(held->end));
    from = held->end + 1;
  }
  return text;
}

struct LockCase {
  std::string name;
  std::string requests;  // in order, by one owner
  std::string held;
};

std::string NameOf(const ::testing::TestParamInfo<LockCase>& info) {
  return info.param.name;
}

class LockRanges : public ::testing::TestWithParam<LockCase> {};

TEST_P(LockRanges, AreThoseOfFcntl) {
  LockTable table;
  std::istringstream requests(GetParam().requests);
  for (std::string one; requests >> one;) table.Apply(Parse(one, kMe));
  EXPECT_EQ(Held(table, kMe), GetParam().held);
  EXPECT_EQ(table.Holds(LockKind::kRecord, kMe), !GetParam().held.empty());
  std::istringstream held(GetParam().held);
  std::size_t count = 0;
  for (std::string one; held >> one;) ++count;
  EXPECT_EQ(table.size(), count);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, LockRanges,
    ::testing::Values(
        LockCase{"One", "r5-9", "r5-9"}, LockCase{"ToTheEnd", "w5-end", "w5-end"},
        LockCase{"JoinsBehind", "r0-4 r5-9", "r0-9"}, LockCase{"JoinsBefore", "r5-9 r0-4", "r0-9"},
        LockCase{"JoinsBoth", "r0-4 r10-14 r5-9", "r0-14"}, LockCase{"JoinsOverlapping", "r0-6 r4-9", "r0-9"},
        LockCase{"JoinsTheEnd", "r5-end r0-4", "r0-end"}, LockCase{"KeepsAGap", "r0-3 r5-9", "r0-3 r5-9"},
        LockCase{"KeepsTypesApart", "r0-4 w5-9", "r0-4 w5-9"},
        LockCase{"SwallowsSmaller", "r2-3 w5-6 r8-8 r0-9", "r0-9"}, LockCase{"Again", "w0-9 w0-9", "w0-9"},
        LockCase{"UpgradesTheMiddle", "r0-9 w3-5", "r0-2 w3-5 r6-9"},
        LockCase{"DowngradesTheMiddle", "w0-9 r3-5", "w0-2 r3-5 w6-9"},
        LockCase{"UpgradesAcrossTwo", "r0-4 w5-9 w3-5", "r0-2 w3-9"},
        LockCase{"UpgradesBackToOne", "r0-9 w3-5 r3-5", "r0-9"}, LockCase{"UnlocksTheMiddle", "w0-9 u3-5", "w0-2 w6-9"},
        LockCase{"UnlocksTheHead", "w0-9 u0-5", "w6-9"}, LockCase{"UnlocksTheTail", "w0-end u6-end", "w0-5"},
        LockCase{"UnlocksAcross", "w0-4 r6-9 u3-7", "w0-2 r8-9"}, LockCase{"UnlocksAll", "w0-4 r6-9 u0-end", ""},
        LockCase{"UnlocksNothing", "u0-end", ""}, LockCase{"UnlocksBeside", "w5-9 u0-4 u10-end", "w5-9"},
        LockCase{"OneByte", "w0-9 u5-5", "w0-4 w6-9"}, LockCase{"TheLastByte", "r0-end u0-4", "r5-end"}),
    NameOf);

TEST(LockTable, LetsReadersShareAndWritersExclude) {
  LockTable table;
  table.Apply(Parse("r0-9", kMe));
  EXPECT_FALSE(table.Conflict(Parse("r0-9", kOther)));
  EXPECT_TRUE(table.Conflict(Parse("w9-20", kOther)));
  EXPECT_FALSE(table.Conflict(Parse("w10-20", kOther)));
  EXPECT_FALSE(table.Conflict(Parse("w0-9", kMe))) << "its own";
  table.Apply(Parse("w0-9", kMe));
  EXPECT_TRUE(table.Conflict(Parse("r0-0", kOther)));
}

TEST(LockTable, TellsTheFirstConflictingLock) {
  LockTable table;
  for (const char* one : {"r0-9", "w20-29", "r40-end"}) table.Apply(Parse(one, kMe));
  const auto reader = table.Conflict(Parse("r5-end", kOther));
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->start, 20U);
  EXPECT_EQ(reader->end, 29U);
  EXPECT_EQ(reader->type, LockType::kExclusive);
  EXPECT_EQ(table.Conflict(Parse("w5-end", kOther))->start, 0U);
}

TEST(LockTable, KeepsRecordAndFlockLocksApart) {
  LockTable table;
  table.Apply(Flock(LockType::kExclusive, kMe));
  EXPECT_FALSE(table.Conflict(Parse("w0-end", kOther)));
  EXPECT_TRUE(table.Conflict(Flock(LockType::kShared, kOther)));
  table.Apply(Parse("w0-9", kOther));
  EXPECT_EQ(table.FlockOf(kMe), LockType::kExclusive);
  EXPECT_EQ(table.FlockOf(kOther), std::nullopt);
  table.Drop(LockKind::kRecord, kMe);
  EXPECT_TRUE(table.Holds(LockKind::kFlock, kMe));
  table.Drop(LockKind::kFlock, kMe);
  EXPECT_FALSE(table.Holds(LockKind::kFlock, kMe));
  EXPECT_EQ(table.size(), 1U);
}

TEST(LockTable, DropsAllOfAnOwnerAndNothingElse) {
  LockTable table;
  for (const char* one : {"r0-1", "r4-5", "r8-9"}) {
    table.Apply(Parse(one, kMe));
    table.Apply(Parse(one, kOther));
  }
  table.Drop(LockKind::kRecord, kMe);
  EXPECT_EQ(Held(table, kOther), "r0-1 r4-5 r8-9");
  EXPECT_EQ(table.size(), 3U);
}

TEST(LockTable, DropsWhatWasSetThroughAHandle) {  // an owner's name may be another's already when its close is heard of
  LockTable table;
  for (const char* one : {"r0-1", "r4-5"}) table.Apply(Parse(one, kMe));
  LockRequest next = Parse("w4-9", kMe);
  next.handle = 7;
  table.Apply(next);
  table.DropThrough(LockKind::kRecord, kMe, 0);
  EXPECT_EQ(Held(table, kMe), "w4-9");
  EXPECT_EQ(table.size(), 1U);
  table.DropThrough(LockKind::kRecord, kMe, 7);
  EXPECT_FALSE(table.Holds(LockKind::kRecord, kMe));
}

TEST(LockTable, TakesOverTheLocksOfAnother) {
  const auto from = std::make_shared<LockTable>();
  const auto into = std::make_shared<LockTable>();
  from->Apply(Parse("w0-9", kMe));
  into->Apply(Parse("w5-19", kOther));
  LockTable::Merge(from, into);
  EXPECT_EQ(LockTable::Resolve(from), into);
  EXPECT_EQ(into->size(), 2U);
  EXPECT_EQ(into->Conflict(Parse("w0-0", kOther))->owner, kMe);
  EXPECT_EQ(into->Conflict(Parse("w10-10", kMe))->owner, kOther);
  const auto next = std::make_shared<LockTable>();
  LockTable::Merge(into, next);
  EXPECT_EQ(LockTable::Resolve(from), next);
}

// Bytes 0 to kBytes - 2, and all that follow as the last one.
constexpr std::size_t kBytes = 24;
constexpr std::size_t kOwners = 4;
constexpr std::uint64_t kScale = 1'000'003;  // so that ranges are not of one byte only

class BytewiseModel {
 public:
  void Apply(const LockRequest& request, std::size_t first, std::size_t last) {
    for (std::size_t byte = first; byte <= last; ++byte) types_[request.owner - 1][byte] = request.type;
  }
  bool Conflicts(const LockRequest& request, std::size_t first, std::size_t last) const {
    for (std::size_t owner = 1; owner <= kOwners; ++owner) {
      if (owner == request.owner) continue;
      for (std::size_t byte = first; byte <= last; ++byte) {
        const LockType held = types_[owner - 1][byte];
        if (held == LockType::kExclusive) return true;
        if (held == LockType::kShared && request.type == LockType::kExclusive) return true;
      }
    }
    return false;
  }
  std::size_t CountOf(LockOwner owner) const {
    std::size_t count = 0;
    LockType before = LockType::kUnlock;
    for (const LockType type : types_[owner - 1]) {
      if (type != before && type != LockType::kUnlock) ++count;
      before = type;
    }
    return count;
  }
  LockType At(LockOwner owner, std::size_t byte) const { return types_[owner - 1][byte]; }

  BytewiseModel() {
    for (auto& one : types_) one.fill(LockType::kUnlock);
  }

 private:
  std::array<std::array<LockType, kBytes>, kOwners> types_{};
};

class RandomRanges {
 public:
  explicit RandomRanges(std::uint64_t seed) : random_(seed) {}

  // One request, granted if the model has nothing against it. Returns what differs; empty: nothing.
  std::string Step() {
    const LockType type = std::array{LockType::kShared, LockType::kExclusive, LockType::kUnlock}[Pick(3)];
    const std::size_t first = Pick(kBytes);
    const std::size_t last = first + Pick(kBytes - first);
    const std::uint64_t end = last == kBytes - 1 ? kLockToTheEnd : (last + 1) * kScale - 1;
    const LockRequest request = Record(type, 1 + Pick(kOwners), first * kScale, end);
    if (type != LockType::kUnlock) {
      const bool conflicts = model_.Conflicts(request, first, last);
      if (table_.Conflict(request).has_value() != conflicts) return "the conflict";
      if (table_.ConflictingOwners(request).empty() == conflicts) return "the owners in conflict";
      if (conflicts) return "";
    }
    table_.Apply(request);
    model_.Apply(request, first, last);
    std::size_t count = 0;
    for (LockOwner one = 1; one <= kOwners; ++one) count += model_.CountOf(one);
    if (table_.size() != count) return "the number of locks";
    for (std::size_t byte = 0; byte < kBytes; ++byte) {
      if (!AgreeAt(byte)) return "byte " + std::to_string(byte);
    }
    return "";
  }

 private:
  std::size_t Pick(std::size_t below) { return static_cast<std::size_t>(random_() % below); }
  // What a stranger would meet there.
  bool AgreeAt(std::size_t byte) {
    bool held = false;
    bool exclusive = false;
    for (LockOwner one = 1; one <= kOwners; ++one) {
      held = held || model_.At(one, byte) != LockType::kUnlock;
      exclusive = exclusive || model_.At(one, byte) == LockType::kExclusive;
    }
    const std::uint64_t at = byte * kScale + Pick(kScale);
    return table_.Conflict(Record(LockType::kExclusive, 99, at, at)).has_value() == held &&
           table_.Conflict(Record(LockType::kShared, 99, at, at)).has_value() == exclusive;
  }

  std::mt19937_64 random_;
  LockTable table_;
  BytewiseModel model_;
};

TEST(LockTable, AgreesWithATableOfBytes) {
  const std::uint64_t seed = testing::Seed();
  for (std::uint64_t round = 0; round < 200; ++round) {
    RandomRanges ranges(seed + round);
    for (int step = 0; step < 200; ++step) ASSERT_EQ(ranges.Step(), "") << "round " << round << " step " << step;
  }
}

}  // namespace
}  // namespace concordfs::fs
