#include "fs/fuse/operations.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "fs/errno_map.h"

namespace concordfs::fs {
namespace {

constexpr unsigned kMaxWrite = 1 << 20;       // bytes a request
constexpr std::size_t kDirectoryChunk = 256;  // entries asked for at a time
constexpr ino_t kUnknownInode = 0xffffffff;   // as libfuse: 0 would hide the entry from readdir(3)

Edge& EdgeOf(fuse_req_t request) { return *static_cast<Edge*>(fuse_req_userdata(request)); }

Caller CallerOf(fuse_req_t request) {
  const fuse_ctx* context = fuse_req_ctx(request);
  return Caller{context->pid, context->uid, context->gid};
}

// Runs a callback's body; what it throws (memory ran out) becomes EIO. A body replies as its last act.
template <class Body>
void Serve(fuse_req_t request, Body body) noexcept {
  try {
    body(EdgeOf(request).filesystem);
  } catch (const std::exception& error) {
    spdlog::critical("request failed: {}", error.what());
    fuse_reply_err(request, EIO);
  }
}

int ErrnoOf(const Result<void>& result) { return result ? 0 : fs::ErrnoOf(result.code()); }

// A reply after which nobody may see what was there before: behind the expiries that the operation caused.
void ReplyAfterExpiries(fuse_req_t request, int number) {
  EdgeOf(request).cache.AfterExpiries([request, number] { fuse_reply_err(request, number); });
}

struct stat ToStat(const Attr& attr) {
  struct stat out {};
  out.st_ino = attr.ino;
  out.st_mode = attr.mode;
  out.st_nlink = attr.links;
  out.st_uid = attr.uid;
  out.st_gid = attr.gid;
  out.st_size = static_cast<off_t>(attr.size);
  out.st_blocks = static_cast<blkcnt_t>(attr.blocks.value_or((attr.size + 511) / 512));
  out.st_rdev = attr.device;
  out.st_blksize = 4096;
  out.st_atim = attr.atime;
  out.st_mtim = attr.mtime;
  out.st_ctim = attr.ctime;
  return out;
}

fuse_entry_param ToEntry(const Entry& entry) {
  fuse_entry_param out{};
  out.ino = entry.attr.node;
  out.attr = ToStat(entry.attr);
  out.attr_timeout = entry.attr_timeout_s;
  out.entry_timeout = entry.entry_timeout_s;
  return out;
}

void ToFileInfo(const Opened& opened, fuse_file_info* info) {
  info->fh = opened.handle;
  info->keep_cache = opened.keep_cache ? 1 : 0;
  info->direct_io = opened.direct_io ? 1 : 0;
  info->noflush = opened.no_flush ? 1 : 0;
}

// libfuse's answer for a caller that went away meanwhile: what the reply would have handed over is ours to drop.
bool CallerIsGone(int replied) { return replied == -ENOENT; }

// The kernel is to read and write the plain file by itself, if it can: the id that an open is to be answered with, or 0.
std::int32_t PassThrough(fuse_req_t request, NodeId node, const Opened& opened, fuse_file_info* info) {
  if (opened.plain_fd < 0) return 0;
  const std::int32_t backing = EdgeOf(request).passthrough.Open(node, opened.plain_fd);
  if (backing > 0) info->keep_cache = info->direct_io = 0;  // excluded by passthrough, which caches nothing here
  return backing;
}

void StopPassingThrough(Edge& edge, NodeId node, HandleId handle) {
  if (IsScratch(handle)) edge.passthrough.Close(node);
}

#ifdef FUSE_CAP_PASSTHROUGH
int ReplyPassedThrough(fuse_req_t request, fuse_file_info info, std::int32_t backing, const fuse_entry_param* entry) {
  info.backing_id = backing;
  return entry != nullptr ? fuse_reply_create(request, entry, &info) : fuse_reply_open(request, &info);
}
#else
// libfuse before 3.17 has no word for it: the answer as the kernel wants it.
struct OpenAnswer {
  std::uint64_t handle;
  std::uint32_t flags;
  std::int32_t backing;
};
constexpr std::uint32_t kOpenPassthrough = 1U << 7;

fuse_entry_out ToKernel(const fuse_entry_param& entry) {
  const auto seconds = [](double timeout) { return static_cast<std::uint64_t>(timeout); };
  fuse_entry_out out{};
  out.nodeid = entry.ino;
  out.generation = entry.generation;
  out.entry_valid = seconds(entry.entry_timeout);
  out.attr_valid = seconds(entry.attr_timeout);
  const struct stat& from = entry.attr;
  fuse_attr& to = out.attr;
  to.ino = from.st_ino;
  to.size = static_cast<std::uint64_t>(from.st_size);
  to.blocks = static_cast<std::uint64_t>(from.st_blocks);
  to.atime = static_cast<std::uint64_t>(from.st_atim.tv_sec);
  to.mtime = static_cast<std::uint64_t>(from.st_mtim.tv_sec);
  to.ctime = static_cast<std::uint64_t>(from.st_ctim.tv_sec);
  to.atimensec = static_cast<std::uint32_t>(from.st_atim.tv_nsec);
  to.mtimensec = static_cast<std::uint32_t>(from.st_mtim.tv_nsec);
  to.ctimensec = static_cast<std::uint32_t>(from.st_ctim.tv_nsec);
  to.mode = from.st_mode;
  to.nlink = static_cast<std::uint32_t>(from.st_nlink);
  to.uid = from.st_uid;
  to.gid = from.st_gid;
  to.blksize = static_cast<std::uint32_t>(from.st_blksize);
  return out;
}

int ReplyPassedThrough(fuse_req_t request, const fuse_file_info& info, std::int32_t backing,
                       const fuse_entry_param* entry) {
  const OpenAnswer open{info.fh, kOpenPassthrough | (info.noflush != 0 ? FOPEN_NOFLUSH : 0U), backing};
  std::string answer;
  if (entry != nullptr) {
    const fuse_entry_out out = ToKernel(*entry);
    answer.assign(reinterpret_cast<const char*>(&out), sizeof(out));
  }
  answer.append(reinterpret_cast<const char*>(&open), sizeof(open));
  return fuse_reply_buf(request, answer.data(), answer.size());
}
#endif

void ReplyEntry(fuse_req_t request, const Result<Entry>& entry) {
  if (!entry) {
    fuse_reply_err(request, fs::ErrnoOf(entry.code()));
    return;
  }
  Filesystem& filesystem = EdgeOf(request).filesystem;
  const fuse_entry_param out = ToEntry(*entry);
  if (CallerIsGone(fuse_reply_entry(request, &out))) filesystem.Forget(out.ino, 1);
}

void ReplyAttr(fuse_req_t request, const Result<Attr>& attr) {
  if (!attr) {
    fuse_reply_err(request, fs::ErrnoOf(attr.code()));
    return;
  }
  const struct stat out = ToStat(*attr);
  fuse_reply_attr(request, &out, AttrTimeoutSeconds(attr->node));
}

void Init(void* /*user_data*/, fuse_conn_info* connection) {
  // Versions are immutable: what is cached of them never has to be checked again.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA);
  const unsigned wanted = FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_HANDLE_KILLPRIV |
                          FUSE_CAP_READDIRPLUS | FUSE_CAP_ASYNC_READ |
                          FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_EXPIRE_ONLY | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS;
  connection->want |= wanted & connection->capable;
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_WRITEBACK_CACHE);
  // Auto would list the rest of a wide directory without attributes, and find(1), grep -r and ls -l ask for each of them.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_READDIRPLUS_AUTO);
  connection->max_write = kMaxWrite;
#ifdef FUSE_CAP_PASSTHROUGH  // what libfuse before 3.17 doesn't know is done by Device
  fuse_set_feature_flag(connection, FUSE_CAP_PASSTHROUGH);
  connection->max_backing_stack_depth = 1;
#endif
}

void Lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Serve(request, [&](Filesystem& fs) { ReplyEntry(request, fs.Lookup(CallerOf(request), parent, name)); });
}

void Forget(fuse_req_t request, fuse_ino_t node, std::uint64_t lookups) {
  EdgeOf(request).filesystem.Forget(node, lookups);
  fuse_reply_none(request);
}

void ForgetMulti(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) {
  for (std::size_t i = 0; i < count; ++i) EdgeOf(request).filesystem.Forget(forgets[i].ino, forgets[i].nlookup);
  fuse_reply_none(request);
}

void GetAttr(fuse_req_t request, fuse_ino_t node, fuse_file_info* /*info*/) {
  Serve(request, [&](Filesystem& fs) { ReplyAttr(request, fs.GetAttr(CallerOf(request), node)); });
}

void SetAttr(fuse_req_t request, fuse_ino_t node, struct stat* values, int to_set, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) {
    AttrChange change;
    const timespec now{0, UTIME_NOW};
    if ((to_set & FUSE_SET_ATTR_SIZE) != 0) change.size = static_cast<std::uint64_t>(values->st_size);
    if ((to_set & FUSE_SET_ATTR_MODE) != 0) change.mode = values->st_mode;
    if ((to_set & FUSE_SET_ATTR_UID) != 0) change.uid = values->st_uid;
    if ((to_set & FUSE_SET_ATTR_GID) != 0) change.gid = values->st_gid;
    if ((to_set & FUSE_SET_ATTR_ATIME) != 0) change.atime = values->st_atim;
    if ((to_set & FUSE_SET_ATTR_MTIME) != 0) change.mtime = values->st_mtim;
    if ((to_set & FUSE_SET_ATTR_ATIME_NOW) != 0) change.atime = now;
    if ((to_set & FUSE_SET_ATTR_MTIME_NOW) != 0) change.mtime = now;
    const auto handle = info != nullptr ? std::optional<HandleId>(info->fh) : std::nullopt;
    const auto attr = fs.SetAttr(CallerOf(request), node, change, handle);
    // The kernel holds the node's lock until it has the reply. Of a directory, every expiry of a name in it waits for that lock;
    // of a file, one does if somebody removes or renames the file: he holds the directory's lock, and waits for the file's.
    if (attr && S_ISDIR(attr->mode)) {
      ReplyAttr(request, attr);
    } else {
      EdgeOf(request).cache.SoonAfterExpiries([request, attr] { ReplyAttr(request, attr); });
    }
  });
}

void ReadLink(fuse_req_t request, fuse_ino_t node) {
  Serve(request, [&](Filesystem& fs) {
    const auto target = fs.ReadSymlink(node);
    if (target) {
      fuse_reply_readlink(request, target->c_str());
    } else {
      fuse_reply_err(request, fs::ErrnoOf(target.code()));
    }
  });
}

void MakeNode(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
  Serve(request, [&](Filesystem& fs) {
    ReplyEntry(request, fs.MakeFile(CallerOf(request), parent, name, {mode, device}));
  });
}

void MakeDirectory(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  Serve(request, [&](Filesystem& fs) { ReplyEntry(request, fs.MakeDirectory(CallerOf(request), parent, name, mode)); });
}

void MakeSymlink(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  Serve(request, [&](Filesystem& fs) { ReplyEntry(request, fs.MakeSymlink(CallerOf(request), parent, name, target)); });
}

void MakeLink(fuse_req_t request, fuse_ino_t node, fuse_ino_t parent, const char* name) {
  Serve(request, [&](Filesystem& fs) { ReplyEntry(request, fs.MakeLink(node, parent, name)); });
}

void Unlink(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Serve(request, [&](Filesystem& fs) { fuse_reply_err(request, ErrnoOf(fs.Unlink(CallerOf(request), parent, name))); });
}

void RemoveDirectory(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Serve(request, [&](Filesystem& fs) {
    fuse_reply_err(request, ErrnoOf(fs.RemoveDirectory(CallerOf(request), parent, name)));
  });
}

void Rename(fuse_req_t request, fuse_ino_t parent, const char* name, fuse_ino_t new_parent, const char* new_name,
            unsigned flags) {
  Serve(request, [&](Filesystem& fs) {
    fuse_reply_err(request, ErrnoOf(fs.Rename(CallerOf(request), parent, name, new_parent, new_name, flags)));
  });
}

void Open(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) {
    Edge& edge = EdgeOf(request);  // the request is gone once it is answered
    const auto opened = fs.Open(CallerOf(request), node, info->flags);
    if (!opened) {
      fuse_reply_err(request, fs::ErrnoOf(opened.code()));
      return;
    }
    ToFileInfo(*opened, info);
    edge.device.StorePages(node, opened->whole);
    const bool truncates_version = opened->direct_io && (info->flags & O_TRUNC) != 0;
    const std::int32_t backing = PassThrough(request, node, *opened, info);
    if (CallerIsGone(backing > 0 ? ReplyPassedThrough(request, *info, backing, nullptr) : fuse_reply_open(request, info))) {
      fs.Release(opened->handle);
      StopPassingThrough(edge, node, opened->handle);
    }
    // To the kernel the node is empty now; others read a version through it. (Through /proc/self/fd only.)
    if (truncates_version) edge.cache.ExpireAttributes(node);
  });
}

void Create(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) {
    Edge& edge = EdgeOf(request);
    const auto created = fs.Create(CallerOf(request), parent, name, mode, info->flags);
    if (!created) {
      fuse_reply_err(request, fs::ErrnoOf(created.code()));
      return;
    }
    const fuse_entry_param entry = ToEntry(created->entry);
    ToFileInfo(created->opened, info);
    const std::int32_t backing = PassThrough(request, entry.ino, created->opened, info);
    if (CallerIsGone(backing > 0 ? ReplyPassedThrough(request, *info, backing, &entry)
                                 : fuse_reply_create(request, &entry, info))) {
      fs.Release(created->opened.handle);
      StopPassingThrough(edge, entry.ino, created->opened.handle);
      fs.Forget(entry.ino, 1);
    }
  });
}

void Read(fuse_req_t request, fuse_ino_t /*node*/, std::size_t size, off_t offset, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) {
    thread_local std::vector<char> buffer;  // a large one is costly to get
    if (buffer.size() < size) buffer.resize(size);
    const auto count = fs.Read(info->fh, static_cast<std::uint64_t>(offset), {buffer.data(), size});
    if (count) {
      fuse_reply_buf(request, buffer.data(), *count);
    } else {
      fuse_reply_err(request, fs::ErrnoOf(count.code()));
    }
  });
}

void Write(fuse_req_t request, fuse_ino_t /*node*/, const char* data, std::size_t size, off_t offset,
           fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) {
    const auto to = (info->flags & O_APPEND) != 0 ? WriteTo::kEnd : WriteTo::kOffset;
    const auto written = fs.Write(info->fh, static_cast<std::uint64_t>(offset), {data, size}, to);
    if (written) {
      fuse_reply_write(request, size);
    } else {
      fuse_reply_err(request, fs::ErrnoOf(written.code()));
    }
  });
}

void Flush(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) {
    const auto flushed = fs.Flush(info->fh, fuse_req_ctx(request)->pid);
    fs.DropLocks(node, info->lock_owner);
    ReplyAfterExpiries(request, ErrnoOf(flushed));
  });
}

void Release(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) {
    fs.Release(info->fh);
    StopPassingThrough(EdgeOf(request), node, info->fh);
    ReplyAfterExpiries(request, 0);
  });
}

void Sync(fuse_req_t request, fuse_ino_t /*node*/, int /*data_only*/, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) { fuse_reply_err(request, ErrnoOf(fs.Sync(info->fh))); });
}

void Allocate(fuse_req_t request, fuse_ino_t /*node*/, int mode, off_t offset, off_t length, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) {
    fuse_reply_err(request, ErrnoOf(fs.Allocate(info->fh, mode, static_cast<std::uint64_t>(offset),
                                                static_cast<std::uint64_t>(length))));
  });
}

LockType LockTypeOf(short type) {
  if (type == F_RDLCK) return LockType::kShared;
  return type == F_WRLCK ? LockType::kExclusive : LockType::kUnlock;
}

// As the kernel sends it: from the start of the file, and l_len 0 for all that follows.
LockRequest RecordLock(const fuse_file_info* info, const struct flock& lock) {
  LockRequest out;
  out.kind = LockKind::kRecord;
  out.type = LockTypeOf(lock.l_type);
  out.owner = info->lock_owner;
  out.start = static_cast<std::uint64_t>(lock.l_start);
  out.end = lock.l_len == 0 ? kLockToTheEnd : static_cast<std::uint64_t>(lock.l_start + lock.l_len - 1);
  out.pid = lock.l_pid;
  return out;
}

void GetLock(fuse_req_t request, fuse_ino_t node, fuse_file_info* info, struct flock* lock) {
  Serve(request, [&](Filesystem& fs) {
    struct flock out = *lock;
    const auto held = fs.GetLock(node, RecordLock(info, *lock));
    out.l_type = F_UNLCK;
    if (held) {
      out.l_type = held->type == LockType::kShared ? F_RDLCK : F_WRLCK;
      out.l_whence = SEEK_SET;
      out.l_start = static_cast<off_t>(held->start);
      out.l_len = held->end == kLockToTheEnd ? 0 : static_cast<off_t>(held->end - held->start + 1);
      out.l_pid = held->pid;
    }
    fuse_reply_lock(request, &out);
  });
}

// The ticket is told by value: an interrupt may come in while the request is being answered by somebody else.
void OnLockInterrupt(fuse_req_t request, void* ticket) {
  EdgeOf(request).filesystem.CancelLock(std::bit_cast<LockTicket>(ticket));
}

void ChangeLock(fuse_req_t request, fuse_ino_t node, HandleId handle, LockRequest lock) {
  Serve(request, [&](Filesystem& fs) {
    const bool unlock = lock.type == LockType::kUnlock;
    if (!unlock) {
      lock.ticket = fs.AnnounceLock();
      // Before it waits, because afterwards the request may be answered and gone.
      fuse_req_interrupt_func(request, OnLockInterrupt, std::bit_cast<void*>(lock.ticket));
    }
    fs.SetLock(handle, node, lock, [request, unlock](const Result<void>& result) {
      // Who gets a lock is to see what was published under it before.
      if (result && !unlock) {
        ReplyAfterExpiries(request, 0);
      } else {
        fuse_reply_err(request, ErrnoOf(result));
      }
    });
  });
}

void SetLock(fuse_req_t request, fuse_ino_t node, fuse_file_info* info, struct flock* lock, int sleep) {
  LockRequest out = RecordLock(info, *lock);
  out.waits = sleep != 0;
  ChangeLock(request, node, info->fh, out);
}

void Flock(fuse_req_t request, fuse_ino_t node, fuse_file_info* info, int operation) {
  LockRequest out;
  out.kind = LockKind::kFlock;
  out.pid = fuse_req_ctx(request)->pid;
  out.waits = (operation & LOCK_NB) == 0;
  out.type = (operation & LOCK_UN) != 0   ? LockType::kUnlock
             : (operation & LOCK_EX) != 0 ? LockType::kExclusive
                                          : LockType::kShared;
  ChangeLock(request, node, info->fh, out);
}

void Seek(fuse_req_t request, fuse_ino_t /*node*/, off_t offset, int whence, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) {
    const auto place = fs.Seek(info->fh, static_cast<std::uint64_t>(offset), whence);
    if (place) {
      fuse_reply_lseek(request, static_cast<off_t>(*place));
    } else {
      fuse_reply_err(request, fs::ErrnoOf(place.code()));
    }
  });
}

void OpenDirectory(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) {
    const auto handle = fs.OpenDirectory(CallerOf(request), node);
    if (!handle) {
      fuse_reply_err(request, fs::ErrnoOf(handle.code()));
      return;
    }
    info->fh = *handle;
    if (CallerIsGone(fuse_reply_open(request, info))) fs.ReleaseDirectory(*handle);
  });
}

// One entry's place in a directory buffer; with `plus` also its attributes, if they can be had. Returns the bytes that
// it takes, more than `room` if it doesn't fit (then nothing was handed over).
std::size_t AddEntry(fuse_req_t request, fuse_ino_t directory, const DirEntry& entry, char* at, std::size_t room,
                     bool plus) {
  struct stat plain {};
  plain.st_ino = entry.ino != 0 ? entry.ino : kUnknownInode;
  plain.st_mode = entry.type;
  const auto cookie = static_cast<off_t>(entry.next_cookie);
  if (!plus) return fuse_add_direntry(request, at, room, entry.name.c_str(), &plain, cookie);
  fuse_entry_param found{};
  found.attr = plain;  // ino 0: a name without attributes
  const std::size_t size = fuse_add_direntry_plus(request, nullptr, 0, entry.name.c_str(), &found, cookie);
  if (size > room) return size;
  if (entry.name != "." && entry.name != "..") {
    // A damaged object costs its own entry's attributes, no more.
    if (const auto looked_up = EdgeOf(request).filesystem.LookupListed(CallerOf(request), directory, entry.name)) {
      found = ToEntry(*looked_up);
    }
  }
  return fuse_add_direntry_plus(request, at, room, entry.name.c_str(), &found, cookie);
}

void ReadDirectoryInto(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset, fuse_file_info* info,
                       bool plus) {
  Serve(request, [&](Filesystem& fs) {
    std::vector<char> buffer(size);
    std::size_t used = 0;
    auto cookie = static_cast<std::uint64_t>(offset);
    while (true) {
      const auto entries = fs.ReadDirectory(info->fh, cookie, kDirectoryChunk);
      if (!entries) {
        fuse_reply_err(request, fs::ErrnoOf(entries.code()));
        return;
      }
      for (const DirEntry& entry : *entries) {
        const std::size_t taken = AddEntry(request, node, entry, buffer.data() + used, size - used, plus);
        if (taken > size - used) {
          fuse_reply_buf(request, buffer.data(), used);
          return;
        }
        used += taken;
        cookie = entry.next_cookie;
      }
      if (entries->size() < kDirectoryChunk) break;
    }
    fuse_reply_buf(request, buffer.data(), used);
  });
}

void ReadDirectory(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset, fuse_file_info* info) {
  ReadDirectoryInto(request, node, size, offset, info, false);
}

void ReadDirectoryPlus(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset, fuse_file_info* info) {
  ReadDirectoryInto(request, node, size, offset, info, true);
}

void ReleaseDirectory(fuse_req_t request, fuse_ino_t /*node*/, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) {
    fs.ReleaseDirectory(info->fh);
    fuse_reply_err(request, 0);
  });
}

void SyncDirectory(fuse_req_t request, fuse_ino_t /*node*/, int /*data_only*/, fuse_file_info* info) {
  Serve(request, [&](Filesystem& fs) { fuse_reply_err(request, ErrnoOf(fs.SyncDirectory(info->fh))); });
}

void StatFs(fuse_req_t request, fuse_ino_t /*node*/) {
  Serve(request, [&](Filesystem& fs) {
    const auto result = fs.StatFs();
    if (result) {
      fuse_reply_statfs(request, &*result);
    } else {
      fuse_reply_err(request, fs::ErrnoOf(result.code()));
    }
  });
}

// An attribute's value or list, or how long it is, as getxattr(2) has it.
void ReplyAttribute(fuse_req_t request, const std::string& value, std::size_t size) {
  if (size == 0) {
    fuse_reply_xattr(request, value.size());
  } else if (size < value.size()) {
    fuse_reply_err(request, ERANGE);
  } else {
    fuse_reply_buf(request, value.data(), value.size());
  }
}

void GetXattr(fuse_req_t request, fuse_ino_t node, const char* name, std::size_t size) {
  Serve(request, [&](Filesystem& fs) {
    const auto value = fs.GetXattr(CallerOf(request), node, name);
    if (value) {
      ReplyAttribute(request, *value, size);
    } else {
      fuse_reply_err(request, fs::ErrnoOf(value.code()));
    }
  });
}

void SetXattr(fuse_req_t request, fuse_ino_t node, const char* name, const char* value, std::size_t size,
              int flags) {
  Serve(request, [&](Filesystem& fs) {
    fuse_reply_err(request, ErrnoOf(fs.SetXattr(CallerOf(request), node, name, {value, size}, flags)));
  });
}

void ListXattr(fuse_req_t request, fuse_ino_t node, std::size_t size) {
  Serve(request, [&](Filesystem& fs) {
    const auto names = fs.ListXattr(node);
    if (!names) {
      fuse_reply_err(request, fs::ErrnoOf(names.code()));
      return;
    }
    std::string list;
    for (const std::string& name : *names) list.append(name).push_back('\0');
    ReplyAttribute(request, list, size);
  });
}

void RemoveXattr(fuse_req_t request, fuse_ino_t node, const char* name) {
  Serve(request, [&](Filesystem& fs) { fuse_reply_err(request, ErrnoOf(fs.RemoveXattr(node, name))); });
}

}  // namespace

Device& DeviceOf(void* user_data) { return static_cast<Edge*>(user_data)->device; }

// copy_file_range, locks of directories and ioctl are left to the kernel, which does them well without us.
const fuse_lowlevel_ops& Operations() {
  static const fuse_lowlevel_ops kOperations = [] {
    fuse_lowlevel_ops ops{};
    ops.init = Init;
    ops.lookup = Lookup;
    ops.forget = Forget;
    ops.forget_multi = ForgetMulti;
    ops.getattr = GetAttr;
    ops.setattr = SetAttr;
    ops.readlink = ReadLink;
    ops.mknod = MakeNode;
    ops.mkdir = MakeDirectory;
    ops.symlink = MakeSymlink;
    ops.link = MakeLink;
    ops.unlink = Unlink;
    ops.rmdir = RemoveDirectory;
    ops.rename = Rename;
    ops.open = Open;
    ops.create = Create;
    ops.read = Read;
    ops.write = Write;
    ops.flush = Flush;
    ops.release = Release;
    ops.fsync = Sync;
    ops.fallocate = Allocate;
    ops.getlk = GetLock;
    ops.setlk = SetLock;
    ops.flock = Flock;
    ops.lseek = Seek;
    ops.opendir = OpenDirectory;
    ops.readdir = ReadDirectory;
    ops.readdirplus = ReadDirectoryPlus;
    ops.releasedir = ReleaseDirectory;
    ops.fsyncdir = SyncDirectory;
    ops.statfs = StatFs;
    ops.getxattr = GetXattr;
    ops.setxattr = SetXattr;
    ops.listxattr = ListXattr;
    ops.removexattr = RemoveXattr;
    return ops;
  }();
  return kOperations;
}

}  // namespace concordfs::fs
