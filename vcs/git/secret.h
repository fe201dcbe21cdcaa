// A token or password: in memory no longer than it is needed, and in no message.
#pragma once

#include <cstring>
#include <string>
#include <utility>

namespace concordfs::vcs::git {

// Overwritten when it ends. There is no way to print one but by asking for its text. Threads: as a string.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(text) { Wipe(text); }
  ~Secret() { Wipe(text_); }
  Secret(const Secret& other) = default;
  Secret& operator=(const Secret& other) {
    if (this == &other) return *this;
    Wipe(text_);
    text_ = other.text_;
    return *this;
  }
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { Wipe(other.text_); }
  Secret& operator=(Secret&& other) noexcept {
    Wipe(text_);
    text_.swap(other.text_);
    return *this;
  }

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

  // Overwrites all that the string has room for, and leaves it empty.
  static void Wipe(std::string& text) noexcept {
    text.resize(text.capacity());
    explicit_bzero(text.data(), text.size());
    text.clear();
  }

 private:
  std::string text_;
};

// Who we say that we are.
struct Login {
  std::string user;
  Secret password;
};

}  // namespace concordfs::vcs::git
