// MergePacks.
//
// A pack is complete: the base of each delta is in the same pack. Objects are taken from the first source that has
// them, so a base comes either from the same source as its delta, or from an earlier one. Hence no circles can arise,
// and an OFS_DELTA's base, which was in front of it in its source, is in front of it here too.
#include "vcs/git/pack_merge.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

#include "vcs/git/pack_file.h"
#include "vcs/git/pack_stream.h"
#include "vcs/git/zlib_stream.h"

namespace concordfs::vcs::git {
namespace {

constexpr std::uint64_t kTooShort = 64;  // bytes that aren't worth to be deflated

class Merger {
 public:
  Merger(std::vector<PackFile> sources, PackCompression compression, const std::function<bool()>& go_on)
      : sources_(std::move(sources)), compression_(compression), go_on_(go_on) {}

  Result<MergedPack> Merge(const std::string& objects_dir, Durability durability) {
    for (const PackFile& source : sources_) {
      for (const IndexEntry& entry : source.entries()) offsets_.try_emplace(entry.id, kUnwritten);
    }
    if (offsets_.size() > std::numeric_limits<std::uint32_t>::max()) {
      return Error{Code::kInvalidArgument, "merge packs: too many objects"};
    }
    auto stream = PackStream::Start(objects_dir, static_cast<std::uint32_t>(offsets_.size()));
    if (!stream) return stream.error();
    for (const PackFile& source : sources_) {
      if (auto copied = Copy(source, *stream); !copied) return copied.error();
    }
    auto path = stream->Finish(durability);
    if (!path) return path.error();
    if (auto checked = Check(*path); !checked) return checked.error();
    return MergedPack{*path, offsets_.size()};
  }

 private:
  static constexpr std::uint64_t kUnwritten = 0;  // no entry begins there

  Result<void> Copy(const PackFile& source, PackStream& stream) {
    for (std::size_t place = 0; place < source.count(); ++place) {
      const ObjectId& id = source.entries()[place].id;
      std::uint64_t& offset = offsets_.find(id)->second;
      if (offset != kUnwritten) continue;
      if (!go_on_()) return Error{Code::kInterrupted, "merge packs: stopped"};
      auto entry = source.Read(place);
      if (!entry) return entry.error();
      auto head = HeadOf(source, *entry, stream.offset());
      if (!head) return head.error();
      // Only now: its base was looked for among those that are written.
      offset = stream.offset();
      if (auto appended = Append(id, *head, *entry, stream); !appended) return appended;
    }
    return {};
  }

  // The entry's header as it must be at `offset` of the new pack.
  Result<std::string> HeadOf(const PackFile& source, const RawEntry& entry, std::uint64_t offset) const {
    std::string head;
    std::optional<ObjectId> base;
    if (entry.type == EntryType::kRefDelta) base = entry.base;
    if (entry.type == EntryType::kOfsDelta) {
      const auto found = std::ranges::lower_bound(source.entries(), entry.base_offset, {}, &IndexEntry::offset);
      if (found != source.entries().end() && found->offset == entry.base_offset) base = found->id;
    }
    if (!base && entry.type != EntryType::kOfsDelta) {
      AppendEntryHeader(entry.type, entry.size, head);
      return head;
    }
    const auto place = base ? offsets_.find(*base) : offsets_.end();
    if (place == offsets_.end()) return Error{Code::kCorrupt, source.path() + ": a delta without its base"};
    if (place->second != kUnwritten) {
      AppendEntryHeader(EntryType::kOfsDelta, entry.size, head);
      AppendDistance(offset - place->second, head);
    } else {  // a REF_DELTA may be in front of its base
      AppendEntryHeader(EntryType::kRefDelta, entry.size, head);
      head.append(reinterpret_cast<const char*>(base->bytes().data()), ObjectId::kSize);
    }
    return head;
  }

  Result<void> Append(const ObjectId& id, std::string_view head, const RawEntry& entry, PackStream& stream) {
    const bool deflates =
        compression_ == PackCompression::kFast && entry.size >= kTooShort && IsUndeflated(entry.stream());
    if (!deflates) return stream.Append(id, head, entry.stream());
    auto inflated = inflater_.Inflate(entry.stream(), entry.size);
    if (!inflated) return Error{inflated.code(), "object " + id.Hex() + ": " + inflated.error().message};
    stream.Entry().append(head);
    deflater_.Append(inflated->bytes, stream.Entry());
    return stream.EndEntry(id);
  }

  Result<void> Check(const std::string& path) const {
    auto pack = PackFile::Open(path);
    if (!pack) return pack.error();
    const bool complete = pack->count() == offsets_.size() && std::ranges::all_of(pack->entries(), [&](const auto& e) {
                            const auto found = offsets_.find(e.id);
                            return found != offsets_.end() && found->second == e.offset;
                          });
    if (!complete) return Error{Code::kCorrupt, path + ": not what was merged"};
    return {};
  }

  const std::vector<PackFile> sources_;
  const PackCompression compression_;
  const std::function<bool()>& go_on_;
  std::unordered_map<ObjectId, std::uint64_t> offsets_;  // in the new pack
  Inflater inflater_;
  Deflater deflater_;
};

}  // namespace

Result<MergedPack> MergePacks(const std::string& objects_dir, std::span<const std::string> sources,
                              PackCompression compression, Durability durability, const std::function<bool()>& go_on) {
  if (sources.empty()) return Error{Code::kInvalidArgument, "merge packs: none"};
  std::vector<PackFile> opened;
  opened.reserve(sources.size());
  for (const std::string& source : sources) {
    auto pack = PackFile::Open(source);
    if (!pack) return pack.error();
    opened.push_back(*std::move(pack));
  }
  return Merger(std::move(opened), compression, go_on).Merge(objects_dir, durability);
}

}  // namespace concordfs::vcs::git
