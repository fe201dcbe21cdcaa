#include "tests/mount/support/repository.h"

#include <gtest/gtest.h>

#include <regex>
#include <sstream>
#include <utility>

#include "tests/mount/support/temp_dir.h"

namespace concordfs::mounttest {
namespace {

std::string WithoutLastNewline(std::string text) {
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

std::string OutputIn(const std::filesystem::path& folder, const std::vector<std::string>& arguments) {
  const Outcome outcome = Git(folder, arguments);
  EXPECT_EQ(outcome.status, 0) << "git " << ::testing::PrintToString(arguments) << ": " << outcome;
  return WithoutLastNewline(outcome.out);
}

}  // namespace

Outcome Git(const std::filesystem::path& folder, const std::vector<std::string>& arguments) {
  std::vector<std::string> argv{"git", "--literal-pathspecs", "-c", "protocol.file.allow=always", "-c", "gc.auto=0"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const Environment outsider{{"GIT_AUTHOR_NAME", "outsider"},
                             {"GIT_AUTHOR_EMAIL", "outsider@example.org"},
                             {"GIT_COMMITTER_NAME", "outsider"},
                             {"GIT_COMMITTER_EMAIL", "outsider@example.org"}};
  return Run({.argv = argv, .cwd = folder, .environment = outsider, .output_file = {}});
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

Repository::Repository(std::filesystem::path path) : path_(std::move(path)) {
  const Outcome outcome = Concordfs({"init", path_});
  EXPECT_EQ(outcome.status, 0) << "concordfs init: " << outcome;
}

std::string Repository::Output(const std::vector<std::string>& arguments) const {
  return OutputIn(path_, arguments);
}

std::optional<std::string> Repository::Show(const std::string& path, const std::string& commit) const {
  const Outcome outcome = Git(path_, {"cat-file", "blob", commit + ":" + path});
  if (outcome.status != 0) return std::nullopt;
  return outcome.out;
}

std::string Repository::Version(const std::string& path) const {
  const std::string line = Output({"ls-tree", "--full-tree", "refs/heads/main", "--", path});
  if (line.empty()) return "absent";
  std::string mode;
  std::string type;
  std::string blob;
  std::istringstream(line) >> mode >> type >> blob;
  return mode + " " + blob;
}

int Repository::CommitCount(const std::string& path) const {
  std::vector<std::string> arguments{"rev-list", "--count", "refs/heads/main"};
  if (!path.empty()) arguments.insert(arguments.end(), {"--", path});
  const std::string count = Output(arguments);
  return count.empty() ? -1 : std::stoi(count);
}

std::vector<std::string> Repository::Log(const std::string& format, const std::string& path) const {
  std::vector<std::string> arguments{"log", "--reverse", "--format=" + format, "refs/heads/main"};
  if (!path.empty()) arguments.insert(arguments.end(), {"--", path});
  return Lines(Output(arguments));
}

std::vector<std::string> Repository::RefsUnder(const std::string& prefix) const {
  return Lines(Output({"for-each-ref", "--format=%(refname)", prefix}));
}

std::string Repository::Fsck() const {
  const Outcome outcome = Git(path_, {"fsck", "--strict", "--full", "--no-progress"});
  const std::string text = outcome.out + outcome.err;
  if (outcome.status != 0) return "status " + std::to_string(outcome.status) + ": " + text;
  static const std::regex bad("(error|warning|missing|broken|fatal)");
  return std::regex_search(text, bad) ? text : "";
}

Clone::Clone(const Repository& origin, std::filesystem::path path) : path_(std::move(path)) {
  OutputIn("/", {"clone", "--quiet", "--branch", "main", origin.path(), path_});
}

std::string Clone::Output(const std::vector<std::string>& arguments) const {
  return OutputIn(path_, arguments);
}

void Clone::Pull() {
  Output({"fetch", "--quiet", "origin", "main"});
  Output({"reset", "--quiet", "--hard", "FETCH_HEAD"});
}

void Clone::Push(const std::string& path, const std::string& content) {
  Pull();
  std::filesystem::create_directories((path_ / path).parent_path());
  WriteFile(path_ / path, content);
  PushAll("Outside: " + path);
}

void Clone::PushAll(const std::string& message) {
  Output({"add", "--all"});
  Output({"commit", "--quiet", "-m", message});
  Output({"push", "--quiet", "origin", "HEAD:refs/heads/main"});
}

}  // namespace concordfs::mounttest
