// Makes one pack of several: entries are copied as they are, and only what tells where a base is changes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "vcs/git/pack_writer.h"
#include "vcs/result.h"

namespace concordfs::vcs::git {

enum class Durability;

struct MergedPack {
  std::string path;  // without its suffix; it may be one of the sources, if that has all that the others have
  std::size_t objects = 0;
};

// Writes a pack of all objects that are in `sources` (paths without suffix; at least one), each once, in this order:
// an object of several sources is taken from the first. With kFast, entries whose streams nobody has tried to deflate
// yet are deflated; with kStored all are copied. Each entry is verified against the CRC-32 of its source's index, and
// the new pack is opened again and has all ids before this returns: so the sources are not needed any more, but they
// are left as they are.
// `go_on` is asked before each entry; once it says false this stops with kInterrupted, and nothing is left.
// Errors: those of PackFile and WritePack; kCorrupt also where a delta's base is in no source.
// Threads: any; blocks on disk. Memory: about 100 bytes an object, and the largest entry.
Result<MergedPack> MergePacks(const std::string& objects_dir, std::span<const std::string> sources,
                              PackCompression compression, Durability durability, const std::function<bool()>& go_on);

}  // namespace concordfs::vcs::git
