// Columns of text for people.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace concordfs::tools {

// Rows of cells, printed below a title row with each column as wide as its widest cell.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> titles) : rows_{std::move(titles)} {}

  // A row has as many cells as there are titles.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // The lines, each with its newline, after `indent` spaces. Widths are counted in characters, as far as UTF-8 goes.
  std::string Text(std::size_t indent = 0) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace concordfs::tools
