// Random patterns for .gitignore files, and names that they often match.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace concordfs::vcs {

// Names, paths and .gitignore patterns from an alphabet so small that they often meet.
class RandomPatterns {
 public:
  explicit RandomPatterns(std::uint64_t seed) : random_(seed) {}

  std::size_t Pick(std::size_t count) { return random_() % count; }
  bool Chance(int percent) { return static_cast<int>(Pick(100)) < percent; }
  template <class T>
  const T& OneOf(const std::vector<T>& values) {
    return values[Pick(values.size())];
  }

  std::string Name() {
    static const std::vector<std::string> kOdd = {
        "a ",   " a",  "a b", "!a", "#a", "a*",  "[a]", "a\\", "]",   "a-b", "-", "A",     "\xC3\xA9",
        "a\tb", "a\r", "**",  "?",  "a:", "\\a", "^",   "[",   "a.o", "b.o", "1", "a\x7F", "\xFF"};
    if (Chance(15)) return OneOf(kOdd);
    std::string name;
    for (std::size_t size = 1 + Pick(3); name.size() < size;) name.push_back("aab."[Pick(4)]);
    return name == "." || name == ".." ? "b" : name;
  }

  std::string Path(std::size_t depth) {
    std::string path = Name();
    while (--depth > 0) path += "/" + Name();
    return path;
  }

  // A file of patterns for a directory that has these paths below it.
  std::string Patterns(const std::vector<std::string>& below) {
    std::string text = Chance(5) ? "\xEF\xBB\xBF" : "";
    const std::string end = Chance(15) ? "\r\n" : "\n";
    for (std::size_t lines = 1 + Pick(5); lines > 0; --lines) {
      text += Line(below);
      if (lines > 1 || Chance(80)) text += Chance(97) ? end : "\n";
    }
    return text;
  }

  // A pattern that means the same as a line of a file and as an argument of `git ls-files --exclude`.
  std::string PlainPattern(const std::vector<std::string>& below) {
    while (true) {
      std::string line = Body(below);
      const char last = line.empty() ? ' ' : line.back();
      if (last != ' ' && last != '\r' && line[0] != '#' && line.find('\0') == std::string::npos) return line;
    }
  }

 private:
  std::string Line(const std::vector<std::string>& below) {
    static const std::vector<std::string> kEnds = {" ", "  ", "\\ ", "\\  ", "\t", "\r", "\\", " \\ ", "\\\\ "};
    if (Chance(3)) return Chance(50) ? "" : "#" + Name();
    std::string line = Body(below);
    if (Chance(8)) line += OneOf(kEnds);
    if (Chance(1)) line.insert(Pick(line.size() + 1), 1, '\0');
    return line;
  }

  std::string Body(const std::vector<std::string>& below) {
    std::string body = Chance(30) ? "!" : "";
    if (Chance(25)) body += "/";
    const std::size_t dice = Pick(100);
    if (dice < 47 && !below.empty()) {
      body += Like(OneOf(below));
    } else if (dice < 50) {
      body += Name() + "**" + (Chance(30) ? "" : "/" + Name());
    } else {
      body += dice < 90 ? Composed() : Noise();
    }
    if (Chance(20)) body += "/";
    return body;
  }

  // What a path could have been matched by.
  std::string Like(std::string path) {
    if (Chance(40)) path = path.substr(path.rfind('/') + 1);
    std::string pattern;
    for (std::size_t i = 0; i < path.size(); ++i) {
      const char c = path[i];
      const std::size_t dice = Pick(100);
      if (dice < 6) {
        i += Pick(path.size());
        pattern += Chance(70) ? "*" : Chance(70) ? "**" : "**/";
      } else if (dice < 10) {
        pattern += "?";
      } else if (dice < 16) {
        pattern += Chance(30) ? "[!x]" : Chance(50) ? std::string("[x") + c + "]" : std::string("[a-") + c + "]";
      } else if (dice < 20) {
        pattern += Class();
      } else if (dice < 25) {
        pattern += std::string("\\") + c;
      } else if (dice < 28) {
        pattern += std::string("*") + c;
      } else if (dice < 30) {
        pattern += std::string("**") + c;
      } else {
        pattern += c;
      }
    }
    return pattern;
  }

  std::string Composed() {
    static const std::vector<std::string> kPieces = {"a", "b", ".", "*", "?", "**", "[ab]", "[!a]", "\\a", "\\*", "aa"};
    std::string pattern;
    for (std::size_t components = 1 + Pick(3); components > 0; --components) {
      if (Chance(25)) {
        pattern += Chance(85) ? "**" : "***";
      } else {
        for (std::size_t pieces = 1 + Pick(3); pieces > 0; --pieces) {
          pattern += Chance(5) ? Class() : Chance(5) ? Name() : OneOf(kPieces);
        }
      }
      if (components > 1) pattern += Chance(97) ? "/" : Chance(50) ? "\\/" : "//";
    }
    return pattern;
  }

  std::string Class() {
    static const std::vector<std::string> kClasses = {
        "[[:alpha:]]",   "[[:lower:]]",  "[^[:digit:]]",   "[[:punct:]a]", "[[:space:]]",   "[[:none:]]", "[[:alpha:]",
        "[[:cntrl:]]",   "[a-c]",        "[c-a]",          "[]a]",         "[!]]",          "[a",         "[\\a]",
        "[a-\\]]",       "[[a]",         "[[:]",           "[a[:b]",       "[[:upper:]-z]", "[a-]",       "[-a]",
        "[\\]a]",        "[!\x80-\xFF]", "[[:graph:]/]",   "[--b]",        "[a-b-c]",       "[!a-b]",     "[*?]",
        "[[:xdigit:]!]", "[^^]",         "[[:blank:]\\a]", "[[::]]",       "[a\\",          "[.-b]"};
    return OneOf(kClasses);
  }

  std::string Noise() {
    static const std::string kAlphabet = "aab*?[]!^-\\/:. #*/";
    std::string noise;
    for (std::size_t size = 1 + Pick(8); noise.size() < size;) noise.push_back(kAlphabet[Pick(kAlphabet.size())]);
    return noise;
  }

  std::mt19937_64 random_;
};

}  // namespace concordfs::vcs
