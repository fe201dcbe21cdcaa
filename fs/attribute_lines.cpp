#include "fs/attribute_lines.h"

#include <nlohmann/json.hpp>

namespace concordfs::fs {
namespace {

using Json = nlohmann::json;

constexpr long kNanoseconds = 1'000'000'000;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

Json EncodeTime(const timespec& time) {
  return Json::array({time.tv_sec, time.tv_nsec});
}

void EncodeAttributes(const Attributes& attributes, Json* line) {
  if (attributes.mode) (*line)["mode"] = *attributes.mode;
  if (attributes.uid) (*line)["uid"] = *attributes.uid;
  if (attributes.gid) (*line)["gid"] = *attributes.gid;
  if (attributes.atime) (*line)["atime"] = EncodeTime(*attributes.atime);
  if (attributes.mtime) (*line)["mtime"] = EncodeTime(*attributes.mtime);
  if (attributes.ctime) (*line)["ctime"] = EncodeTime(*attributes.ctime);
  if (attributes.birth) (*line)["birth"] = EncodeTime(*attributes.birth);
  if (attributes.version) (*line)["version"] = vcs::ToString(attributes.version);
  if (attributes.kept) (*line)["kept"] = *attributes.kept;
  if (attributes.since) (*line)["since"] = *attributes.since;
}

// Reads the values of one line; remembers whether one was of another form than it has to be.
class LineReader {
 public:
  explicit LineReader(const Json& line) : line_(line) {}

  bool Has(const char* key) const { return line_.contains(key); }
  bool damaged() const { return damaged_; }

  template <class T>
  std::optional<T> Number(const char* key) {
    const Json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_unsigned() && value->get<std::uint64_t>() <= std::numeric_limits<T>::max()) {
      return value->get<T>();
    }
    return Damaged<T>();
  }
  std::optional<timespec> Time(const char* key) {
    const Json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_array() || value->size() != 2 || !(*value)[0].is_number_integer() ||
        !(*value)[1].is_number_unsigned() || (*value)[1].get<std::uint64_t>() >= kNanoseconds) {
      return Damaged<timespec>();
    }
    return timespec{(*value)[0].get<time_t>(), (*value)[1].get<long>()};
  }
  std::optional<bool> Bool(const char* key) {
    const Json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    return value->is_boolean() ? std::optional(value->get<bool>()) : Damaged<bool>();
  }
  vcs::MaybeVersion Version(const char* key) {
    const std::string* text = Text(key);
    if (text == nullptr) return std::nullopt;
    const auto version = vcs::ParseVersion(*text);
    return version && *version ? *version : Damaged<vcs::Version>();
  }
  vcs::ObjectId Id(const char* key) {
    const std::string* text = Text(key);
    const auto id = text == nullptr ? std::nullopt : vcs::ObjectId::FromHex(*text);
    return id ? *id : Damaged<vcs::ObjectId>().value_or(vcs::ObjectId());
  }
  vcs::RepoPath Path(const char* key) {
    const std::string* text = Text(key);
    const auto path = vcs::RepoPath::Parse(text == nullptr ? std::string() : vcs::Unquoted(*text));
    if (text != nullptr && path) return *path;
    return Damaged<vcs::RepoPath>().value_or(vcs::RepoPath());
  }

 private:
  template <class T>
  std::optional<T> Damaged() {
    damaged_ = true;
    return std::nullopt;
  }
  const Json* Find(const char* key) const {
    const auto found = line_.find(key);
    return found == line_.end() ? nullptr : &*found;
  }
  const std::string* Text(const char* key) {
    const Json* value = Find(key);
    if (value == nullptr) return nullptr;
    if (!value->is_string()) damaged_ = true;
    return value->is_string() ? value->get_ptr<const std::string*>() : nullptr;
  }

  const Json& line_;
  bool damaged_ = false;
};

Attributes DecodeAttributes(LineReader* line) {
  Attributes attributes;
  attributes.mode = line->Number<std::uint32_t>("mode");
  attributes.uid = line->Number<std::uint32_t>("uid");
  attributes.gid = line->Number<std::uint32_t>("gid");
  attributes.atime = line->Time("atime");
  attributes.mtime = line->Time("mtime");
  attributes.ctime = line->Time("ctime");
  attributes.birth = line->Time("birth");
  attributes.version = line->Version("version");
  attributes.kept = line->Bool("kept");
  attributes.since = line->Number<EpochNumber>("since");
  return attributes;
}

// Nothing for a line of a kind that isn't known, too.
std::optional<AttributeOperation> DecodeOperation(LineReader* line) {
  if (line->Has("file")) return SetAttributes{PathKind::kFile, line->Path("file"), DecodeAttributes(line)};
  if (line->Has("dir")) return SetAttributes{PathKind::kDirectory, line->Path("dir"), DecodeAttributes(line)};
  if (line->Has("forget")) return ForgetAttributes{line->Path("forget"), false};
  if (line->Has("forget_below")) return ForgetAttributes{line->Path("forget_below"), true};
  if (line->Has("rename")) return MoveAttributes{line->Path("rename"), line->Path("to")};
  if (line->Has("exchange")) return ExchangeAttributes{line->Path("exchange"), line->Path("with")};
  if (line->Has("advance_epoch")) {
    return AdvanceEpoch{line->Number<EpochNumber>("advance_epoch").value_or(0), line->Id("commit"), line->Id("root")};
  }
  if (line->Has("drop_epoch")) return DropEpoch{line->Number<EpochNumber>("drop_epoch").value_or(0)};
  if (line->Has("reset")) return ResetAttributes{};
  if (!line->Has("epoch")) return std::nullopt;
  const auto number = line->Number<EpochNumber>("epoch");
  const auto time = line->Time("time");
  if (!number || !time) return std::nullopt;
  return NoteEpoch{{*number, line->Id("commit"), line->Id("root"), *time}};
}

}  // namespace

std::string EncodeLine(const AttributeOperation& operation) {
  Json line;
  std::visit(Overloaded{
                 [&](const SetAttributes& set) {
                   line[set.kind == PathKind::kFile ? "file" : "dir"] = vcs::Quoted(set.path.text());
                   EncodeAttributes(set.attributes, &line);
                 },
                 [&](const ForgetAttributes& forget) {
                   line[forget.below ? "forget_below" : "forget"] = vcs::Quoted(forget.path.text());
                 },
                 [&](const MoveAttributes& move) {
                   line = {{"rename", vcs::Quoted(move.from.text())}, {"to", vcs::Quoted(move.to.text())}};
                 },
                 [&](const ExchangeAttributes& exchange) {
                   line = {{"exchange", vcs::Quoted(exchange.a.text())}, {"with", vcs::Quoted(exchange.b.text())}};
                 },
                 [&](const NoteEpoch& note) {
                   line = {{"epoch", note.epoch.number},
                           {"commit", note.epoch.commit.Hex()},
                           {"root", note.epoch.root.Hex()},
                           {"time", EncodeTime(note.epoch.time)}};
                 },
                 [&](const AdvanceEpoch& advance) {
                   line = {{"advance_epoch", advance.number},
                           {"commit", advance.commit.Hex()},
                           {"root", advance.root.Hex()}};
                 },
                 [&](const DropEpoch& drop) { line["drop_epoch"] = drop.number; },
                 [&](const ResetAttributes&) { line["reset"] = true; },
             },
             operation);
  return line.dump() + "\n";
}

std::string EncodeLines(std::span<const AttributeOperation> operations) {
  std::string lines;
  for (const AttributeOperation& operation : operations) lines += EncodeLine(operation);
  return lines;
}

std::optional<AttributeOperation> DecodeLine(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  LineReader reader(json);
  auto operation = DecodeOperation(&reader);
  return reader.damaged() ? std::nullopt : operation;
}

}  // namespace concordfs::fs
