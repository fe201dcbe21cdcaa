#include "vcs/git/pack_writer.h"

#include <limits>
#include <unordered_map>

#include "vcs/git/delta.h"
#include "vcs/git/pack_format.h"
#include "vcs/git/pack_stream.h"
#include "vcs/git/zlib_stream.h"

namespace concordfs::vcs::git {
namespace {

constexpr int kMaxDepth = 40;  // of a chain of deltas; git's own default is 50
// A `git prune` with no time of grace removes files that have no name yet: then all is written again.
constexpr int kMaxNamings = 3;
constexpr std::size_t kEntryOverhead =
    16;  // bytes for an entry's header and its stream's, at most, for what fits a block

class Writer {
 public:
  Writer(PackStream& stream, std::span<const PackedObject> objects, PackCompression compression)
      : stream_(stream), objects_(objects), compression_(compression) {
    places_.reserve(objects.size());
  }

  Result<void> Write() {
    for (const PackedObject& object : objects_) {
      Place place{&object, stream_.offset(), 0};
      if (!WriteDelta(place)) {
        AppendEntryHeader(TypeOf(object.kind), object.bytes.size(), stream_.Entry());
        AppendStream(object.bytes);
      }
      if (auto ended = stream_.EndEntry(object.id); !ended) return ended;
      places_.emplace(object.id, place);
    }
    return {};
  }

 private:
  struct Place {
    const PackedObject* object;
    std::uint64_t offset;
    int depth;  // deltas down to what is whole
  };

  // Returns false, having appended nothing, if the object should be whole.
  bool WriteDelta(Place& place) {
    const PackedObject& object = *place.object;
    if (!object.like || object.bytes.size() <= 2 * kEntryOverhead) return false;
    const auto found = places_.find(*object.like);
    if (found == places_.end()) return false;
    const Place& base = found->second;
    if (base.object->kind != object.kind || base.depth >= kMaxDepth) return false;
    const auto delta = MakeDelta(base.object->bytes, object.bytes, object.bytes.size() / 2 - kEntryOverhead);
    if (!delta) return false;
    AppendEntryHeader(EntryType::kOfsDelta, delta->size(), stream_.Entry());
    AppendDistance(place.offset - base.offset, stream_.Entry());
    AppendStream(*delta);
    place.depth = base.depth + 1;
    return true;
  }

  void AppendStream(std::string_view bytes) {
    if (compression_ == PackCompression::kStored) {
      AppendStored(bytes, stream_.Entry());
    } else {
      deflater_.Append(bytes, stream_.Entry());
    }
  }

  PackStream& stream_;
  const std::span<const PackedObject> objects_;
  const PackCompression compression_;
  Deflater deflater_;
  std::unordered_map<ObjectId, Place> places_;
};

}  // namespace

Result<std::string> WritePack(const std::string& objects_dir, std::span<const PackedObject> objects,
                              PackCompression compression, Durability durability) {
  if (objects.empty() || objects.size() > std::numeric_limits<std::uint32_t>::max()) {
    return Error{Code::kInvalidArgument, "write a pack: of " + std::to_string(objects.size()) + " objects"};
  }
  for (int attempt = 1;; ++attempt) {
    auto stream = PackStream::Start(objects_dir, static_cast<std::uint32_t>(objects.size()));
    if (!stream) return stream.error();
    if (auto written = Writer(*stream, objects, compression).Write(); !written) return written.error();
    auto path = stream->Finish(durability);
    if (path || path.code() != Code::kNotFound || attempt == kMaxNamings) return path;
  }
}

}  // namespace concordfs::vcs::git
