// The name of a git object: a SHA-1, 20 bytes.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace concordfs::vcs {

// An immutable value, zero when default-constructed (the zero id names no object). Threads: any.
class ObjectId {
 public:
  static constexpr std::size_t kSize = 20;     // bytes
  static constexpr std::size_t kHexSize = 40;  // characters
  using Bytes = std::array<std::uint8_t, kSize>;

  constexpr ObjectId() = default;
  explicit constexpr ObjectId(const Bytes& bytes) : bytes_(bytes) {}

  // The id whose 40 lower- or upper-case hexadecimal digits are `hex`; nothing for any other text.
  static std::optional<ObjectId> FromHex(std::string_view hex);
  // The id in the first kSize bytes at `raw`.
  static ObjectId FromRaw(const void* raw);

  std::string Hex() const;  // 40 lower-case digits
  const Bytes& bytes() const { return bytes_; }
  bool IsZero() const { return *this == ObjectId(); }

  auto operator<=>(const ObjectId&) const = default;

 private:
  Bytes bytes_{};
};

}  // namespace concordfs::vcs

template <>
struct std::hash<concordfs::vcs::ObjectId> {
  std::size_t operator()(const concordfs::vcs::ObjectId& id) const noexcept {
    std::size_t value;  // the id is a hash already
    std::memcpy(&value, id.bytes().data(), sizeof(value));
    return value;
  }
};
