// Bytes that are made once and then shared, not copied.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace concordfs::vcs {

// Immutable; copies share one string. Threads: any.
class SharedBytes {
 public:
  SharedBytes() : SharedBytes(std::string()) {}
  // Implicit, as those of std::string_view are: it is the same bytes.
  // NOLINTBEGIN(google-explicit-constructor)
  SharedBytes(std::string bytes) : bytes_(std::make_shared<const std::string>(std::move(bytes))) {}
  SharedBytes(const char* text) : SharedBytes(std::string(text)) {}
  // NOLINTEND(google-explicit-constructor)
  // Bytes that are part of something else, which they keep alive.
  explicit SharedBytes(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {}

  // NOLINTBEGIN(google-explicit-constructor)
  operator const std::string&() const { return *bytes_; }
  operator std::string_view() const { return *bytes_; }
  // NOLINTEND(google-explicit-constructor)
  std::size_t size() const { return bytes_->size(); }

  friend bool operator==(const SharedBytes& a, const SharedBytes& b) { return *a.bytes_ == *b.bytes_; }

 private:
  std::shared_ptr<const std::string> bytes_;
};

}  // namespace concordfs::vcs
