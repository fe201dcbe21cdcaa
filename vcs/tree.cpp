#include "vcs/tree.h"

#include <algorithm>

namespace concordfs::vcs {
namespace {

constexpr std::size_t kMaxModeDigits = 7;

// git compares names as bytes, a directory's as if it ended in a slash.
int Compare(std::string_view a, bool a_is_directory, std::string_view b, bool b_is_directory) {
  const std::size_t shared = std::min(a.size(), b.size());
  if (const int order = a.substr(0, shared).compare(b.substr(0, shared)); order != 0) return order;
  const auto next = [shared](std::string_view name, bool is_directory) {
    return name.size() > shared ? static_cast<unsigned char>(name[shared]) : is_directory ? '/' : 0;
  };
  return next(a, a_is_directory) - next(b, b_is_directory);
}

bool IsOctal(char c) {
  return c >= '0' && c <= '7';
}

}  // namespace

template <class Text>
Version BasicTreeEntry<Text>::AsVersion() const {
  const auto bits = static_cast<std::uint32_t>(mode);
  if (mode == FileMode::kSymlink || mode == FileMode::kSubmodule) return Version{id, mode};
  return Version{id, (bits & 0100) != 0 ? FileMode::kExecutable : FileMode::kRegular};
}

template struct BasicTreeEntry<std::string>;
template struct BasicTreeEntry<std::string_view>;

Result<Tree> Tree::Parse(std::string_view bytes) {
  const auto corrupt = [](const char* why) { return Error{Code::kCorrupt, std::string("tree: ") + why}; };
  Tree tree;
  tree.bytes_ = bytes;
  for (std::size_t start = 0; start < bytes.size();) {
    const std::string_view rest = bytes.substr(start);
    std::size_t digits = 0;
    while (digits < rest.size() && digits < kMaxModeDigits && IsOctal(rest[digits])) ++digits;
    if (digits == 0 || digits >= rest.size() || rest[digits] != ' ') return corrupt("no mode");
    const std::size_t name_end = rest.find('\0', digits + 1);
    if (name_end == std::string_view::npos || name_end == digits + 1) return corrupt("no name");
    if (rest.size() - name_end - 1 < ObjectId::kSize) return corrupt("truncated");
    tree.starts_.push_back(static_cast<std::uint32_t>(start));
    start += name_end + 1 + ObjectId::kSize;
  }
  for (std::size_t i = 1; i < tree.starts_.size(); ++i) {
    const TreeEntryView last = tree.At(i - 1);
    const TreeEntryView entry = tree.At(i);
    if (Compare(last.name, last.IsDirectory(), entry.name, entry.IsDirectory()) >= 0) return corrupt("not sorted");
  }
  // A file `a` and a directory `a` may have `a.b` between them.
  for (std::size_t i = 0; i < tree.starts_.size(); ++i) {
    const TreeEntryView entry = tree.At(i);
    if (entry.IsDirectory() && tree.IndexOf(entry.name) != i) return corrupt("a name twice");
  }
  return tree;
}

// What is in bytes_ was checked by Parse, or written by Append.
TreeEntryView Tree::At(std::size_t index) const {
  const std::size_t start = starts_[index];
  const std::size_t end = index + 1 < starts_.size() ? starts_[index + 1] : bytes_.size();
  const char* at = bytes_.data() + start;
  std::uint32_t mode = 0;
  for (; *at != ' '; ++at) mode = mode * 8 + static_cast<std::uint32_t>(*at - '0');
  ++at;
  const char* const id = bytes_.data() + end - ObjectId::kSize;
  return {std::string_view(at, static_cast<std::size_t>(id - 1 - at)), static_cast<FileMode>(mode), ObjectId::FromRaw(id)};
}

std::size_t Tree::PlaceOf(std::string_view name, bool is_directory) const {
  std::size_t first = 0;
  std::size_t count = starts_.size();
  while (count > 0) {
    const std::size_t half = count / 2;
    const TreeEntryView entry = At(first + half);
    if (Compare(entry.name, entry.IsDirectory(), name, is_directory) < 0) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return first;
}

std::optional<std::size_t> Tree::IndexOf(std::string_view name) const {
  for (const bool is_directory : {false, true}) {
    const std::size_t place = PlaceOf(name, is_directory);
    if (place < starts_.size() && At(place).name == name) return place;
  }
  return std::nullopt;
}

std::optional<TreeEntryView> Tree::Find(std::string_view name) const {
  const auto index = IndexOf(name);
  return index ? std::optional(At(*index)) : std::nullopt;
}

void Tree::Reserve(std::size_t bytes, std::size_t entries) {
  bytes_.reserve(bytes);
  starts_.reserve(entries);
}

void Tree::Append(const Tree& from, std::size_t first, std::size_t last) {
  if (first >= last) return;
  const std::size_t begin = from.starts_[first];
  const std::size_t end = last < from.starts_.size() ? from.starts_[last] : from.bytes_.size();
  const auto moved = static_cast<std::uint32_t>(bytes_.size() - begin);  // modulo 2^32, as the sums below
  bytes_.append(from.bytes_, begin, end - begin);
  for (std::size_t i = first; i < last; ++i) starts_.push_back(from.starts_[i] + moved);
}

void Tree::Append(const TreeEntry& entry) {
  starts_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  char digits[12];
  std::size_t first = sizeof(digits);
  for (auto mode = static_cast<std::uint32_t>(entry.mode); mode != 0; mode /= 8)
    digits[--first] = static_cast<char>('0' + mode % 8);
  bytes_.append(digits + first, sizeof(digits) - first);
  bytes_.push_back(' ');
  bytes_.append(entry.name);
  bytes_.push_back('\0');
  bytes_.append(reinterpret_cast<const char*>(entry.id.bytes().data()), ObjectId::kSize);
}

Tree Tree::With(const TreeEntry& entry) const {
  constexpr std::size_t kOverhead = kMaxModeDigits + 2 + ObjectId::kSize;
  const std::size_t place = PlaceOf(entry.name, entry.IsDirectory());
  const std::size_t count = starts_.size();
  const std::size_t old = IndexOf(entry.name).value_or(count);  // count: there is none
  Tree tree;
  tree.Reserve(bytes_.size() + entry.name.size() + kOverhead, count + 1);
  tree.Append(*this, 0, std::min(old, place));
  if (old < place) tree.Append(*this, old + 1, place);
  tree.Append(entry);
  if (old < place) {
    tree.Append(*this, place, count);
  } else {
    tree.Append(*this, place, old);
    tree.Append(*this, old + 1, count);
  }
  return tree;
}

Tree Tree::Without(std::string_view name) const {
  const auto old = IndexOf(name);
  if (!old) return *this;
  Tree tree;
  tree.Reserve(bytes_.size(), starts_.size());
  tree.Append(*this, 0, *old);
  tree.Append(*this, *old + 1, starts_.size());
  return tree;
}

bool SameNames(const Tree& a, const Tree& b) {
  // In git's order a name's place may depend on whether it is a directory's.
  if (a.entries().size() != b.entries().size()) return false;
  for (const TreeEntryView entry : a.entries()) {
    if (!b.Find(entry.name)) return false;
  }
  return true;
}

std::size_t Tree::MemorySize() const {
  return sizeof(Tree) + bytes_.capacity() + starts_.capacity() * sizeof(starts_[0]);
}

}  // namespace concordfs::vcs
