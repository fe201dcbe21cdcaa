#include "vcs/git/journal_replay.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <vector>

#include "vcs/file_io.h"
#include "vcs/git/delta.h"
#include "vcs/git/disk_sync.h"
#include "vcs/git/journal.h"
#include "vcs/git/journal_record.h"

namespace concordfs::vcs::git {
namespace {

namespace stdfs = std::filesystem;

// A journal's file whose daemon is gone, locked by us: two who open the repository at a time don't both replay it.
struct DeadJournal {
  std::string path;
  FileDescriptor file;
};

std::vector<DeadJournal> FindDead(const std::string& git_dir) {
  std::vector<DeadJournal> dead;
  std::error_code ignored;
  for (const auto& entry : stdfs::directory_iterator(JournalsFolder(git_dir), ignored)) {
    DeadJournal journal{entry.path(), FileDescriptor(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW))};
    struct stat status {};
    if (!journal.file.ok() || ::fstat(journal.file.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (::flock(journal.file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (::access(journal.path.c_str(), F_OK) == 0)
      dead.push_back(std::move(journal));  // else: replayed by somebody else
  }
  return dead;
}

Result<std::string> ReadWhole(const DeadJournal& journal) {
  std::string bytes;
  struct stat status {};
  if (::fstat(journal.file.get(), &status) != 0) return SystemError(journal.path, errno);
  bytes.resize(static_cast<std::size_t>(status.st_size));
  const ssize_t count = ReadAllAt(journal.file.get(), 0, bytes);
  if (count < 0) return SystemError(journal.path, errno);
  bytes.resize(static_cast<std::size_t>(count));
  return bytes;
}

// What it tells, if that may not be on disk in its place.
Result<std::vector<JournalRecord>> RecordsOf(const DeadJournal& journal) {
  const auto bytes = ReadWhole(journal);
  if (!bytes) return bytes.error();
  std::vector<JournalRecord> records;
  const auto header = DecodeHeader(*bytes);
  if (!header || header->boot == CurrentBoot()) return records;
  std::string_view rest(*bytes);
  rest.remove_prefix(std::min(rest.size(), JournalHeader::kSize));
  while (auto decoded = DecodeRecord(rest, header->epoch)) {
    rest.remove_prefix(decoded->size);
    records.push_back(std::move(decoded->record));
  }
  return records;
}

// Writes the object if the store can't read it. Errors: kNotFound if the delta's base is not there (yet).
Result<void> Restore(ObjectDatabase& objects, const JournalObject& object) {
  if (objects.Read(object.id, object.kind)) return {};
  if (!object.base) return objects.Add(object.id, object.kind, object.data);
  const auto base = objects.Read(*object.base, object.kind);
  if (!base) return base.error();
  const auto bytes = ApplyDelta(*base, object.data);
  if (!bytes) return bytes.error();
  return objects.Add(object.id, object.kind, *bytes);
}

// In rounds, because a delta's base may stand in another daemon's journal.
Result<void> RestoreAll(ObjectDatabase& objects, std::vector<JournalRecord>& records) {
  std::vector<JournalObject> waiting;
  for (JournalRecord& record : records) {
    std::move(record.objects.begin(), record.objects.end(), std::back_inserter(waiting));
  }
  while (!waiting.empty()) {
    std::vector<JournalObject> again;
    Error last{Code::kIo, ""};
    for (JournalObject& object : waiting) {
      const auto restored = Restore(objects, object);
      if (restored) continue;
      if (!object.base) return restored;
      last = restored.error();
      again.push_back(std::move(object));
    }
    if (again.size() == waiting.size()) {
      return Error{Code::kCorrupt, "replay the journal after a power cut: " + last.message};
    }
    waiting = std::move(again);
  }
  return {};
}

// `tips`: where the ref was to go, one after the other; each is a descendant of the one before, or replaced it
// (Backlog::Replay).
Result<void> RestoreRef(const std::string& git_dir, RefDatabase& refs, const std::string& name,
                        const std::vector<ObjectId>& tips) {
  const ObjectId& tip = tips.back();
  ::unlink((git_dir + "/" + name + ".lock").c_str());  // its owner ended with the power
  auto current = refs.Read(name);
  if (!current && current.code() == Code::kCorrupt) {
    ::unlink((git_dir + "/" + name).c_str());  // empty, or full of zeros
    current = refs.Read(name);                 // it may be packed, too
  }
  if (!current) return current.error();
  const bool is_ours = *current && std::find(tips.begin(), tips.end(), **current) != tips.end();
  if (*current && (**current == tip || (!is_ours && !refs.Reaches(tip, **current)))) return {};
  return refs.Swap(name, *current, tip, "concordfs: replay after a power cut");
}

}  // namespace

Result<void> ReplayJournals(const std::string& git_dir, ObjectDatabase& objects, RefDatabase& refs) {
  const auto dead = FindDead(git_dir);
  if (dead.empty()) return {};
  std::vector<JournalRecord> records;
  for (const DeadJournal& journal : dead) {
    auto told = RecordsOf(journal);
    if (!told) return told.error();
    std::move(told->begin(), told->end(), std::back_inserter(records));
  }
  if (!records.empty()) {
    std::stable_sort(records.begin(), records.end(),
                     [](const auto& a, const auto& b) { return a.sequence < b.sequence; });
    if (auto restored = RestoreAll(objects, records); !restored) return restored;
    std::map<std::string, std::vector<ObjectId>> tips;
    for (const JournalRecord& record : records) tips[record.ref].push_back(record.tip);
    for (const auto& [ref, moves] : tips) {
      if (auto restored = RestoreRef(git_dir, refs, ref, moves); !restored) return restored;
    }
    if (auto synced = SyncFileSystem(git_dir); !synced) return synced;
  }
  for (const DeadJournal& journal : dead) ::unlink(journal.path.c_str());
  return {};
}

}  // namespace concordfs::vcs::git
