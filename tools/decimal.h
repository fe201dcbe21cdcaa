// Numbers as text.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace concordfs::tools {

// The number whose decimal digits are the whole text; nothing for any other text, and for a number that doesn't fit.
template <class Number>
std::optional<Number> ParseDecimal(std::string_view text) {
  Number number = 0;
  const char* const text_end = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), text_end, number);
  if (failed != std::errc() || end != text_end) return std::nullopt;
  return number;
}

}  // namespace concordfs::tools
