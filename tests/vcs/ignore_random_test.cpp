// V11: IgnoreRules against stock git, on random trees with random patterns.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/model/seed.h"
#include "tests/vcs/git_repo.h"
#include "tests/vcs/random_patterns.h"
#include "vcs/ignore_rules.h"

namespace concordfs::vcs::git {
namespace {

// Nothing of the user's, and no process besides the one that is asked for.
constexpr char kConfig[] =
    "[user]\nname = A\nemail = a@example.org\n[core]\nexcludesFile = /dev/null\nfsync = none\n"
    "[gc]\nauto = 0\n[maintenance]\nauto = false\n";
constexpr int kTrees = 20;
constexpr int kQuestions = 400;  // for each tree

// A repository with a working tree that is a checkout of its one commit, but for empty directories.
class WorkTree {
 public:
  explicit WorkTree(RandomPatterns& random) : random_(random) {
    MustGit("init -q -b main --template=");
    std::ofstream(top() / ".git/config", std::ios::app) << kConfig;
    MakeFiles();
    MakePatterns();
    // However the dice fall, there is something to commit.
    WriteFile(top() / "always", "");
    MustGit("add -f -A . && git commit -q -m tree");
    for (int i = 0; i < 10; ++i) MakeDirectory(random_.Chance(50) ? random_.OneOf(directories_) : "");
    exclude_ = random_.Chance(60) ? random_.Patterns(paths_) : "";
    WriteFile(top() / ".git/info/exclude", exclude_);
  }

  stdfs::path top() const { return folder_.path(); }
  const std::string& exclude() const { return exclude_; }
  const std::vector<std::string>& paths() const { return paths_; }
  bool IsDirectory(const std::string& path) const {
    std::error_code error;
    return stdfs::symlink_status(top() / path, error).type() == stdfs::file_type::directory;
  }

  // Paths to ask about: such as there are, and such as could be. None below a symlink, which git refuses.
  std::vector<std::string> Questions() {
    std::vector<std::string> questions;
    while (questions.size() < kQuestions) {
      std::string path = random_.Chance(60) ? random_.OneOf(paths_) : "";
      if (path.empty() || random_.Chance(50)) path += (path.empty() ? "" : "/") + random_.Path(1 + random_.Pick(3));
      if (!RepoPath::Parse(path) || IsBelowSymlink(path)) continue;
      questions.push_back(path);
    }
    return questions;
  }

  std::string Git(const std::string& arguments, int* status) const {
    const Outcome outcome = Shell("cd '" + top().string() +
                                  "' && export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null &&"
                                  " unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE && git " +
                                  arguments);
    *status = outcome.status;
    return outcome.output;
  }
  std::string MustGit(const std::string& arguments) const {
    int status = 0;
    std::string output = Git(arguments, &status);
    if (status != 0) throw std::runtime_error("git " + arguments + ": " + output);
    return output;
  }

  // The lists that could have a say about a path, for the report of a difference.
  std::string PatternsAbout(const std::string& path) const {
    std::string text = "info/exclude: " + ::testing::PrintToString(exclude_) + "\n";
    for (std::size_t end = 0; end != std::string::npos; end = path.find('/', end + 1)) {
      const std::string file = (end == 0 ? "" : path.substr(0, end) + "/") + ".gitignore";
      const auto found = patterns_.find(file);
      if (found != patterns_.end()) text += file + ": " + ::testing::PrintToString(found->second) + "\n";
    }
    return text;
  }

 private:
  bool IsBelowSymlink(const std::string& path) const {
    for (std::size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1)) {
      if (stdfs::is_symlink(stdfs::symlink_status(top() / path.substr(0, end)))) return true;
    }
    return false;
  }

  void MakeDirectory(const std::string& in) {
    const std::string path = (in.empty() ? "" : in + "/") + random_.Name();
    std::error_code error;  // there already, as a file: it stays one
    stdfs::create_directory(top() / path, error);
    if (!IsDirectory(path) || std::find(directories_.begin(), directories_.end(), path) != directories_.end()) return;
    directories_.push_back(path);
    paths_.push_back(path);
  }

  void MakeFiles() {
    for (int i = 0; i < 12; ++i) {
      MakeDirectory(random_.Chance(70) && !directories_.empty() ? random_.OneOf(directories_) : "");
    }
    for (int i = 0; i < 30; ++i) {
      const std::string path = (random_.Chance(80) ? random_.OneOf(directories_) + "/" : "") + random_.Name();
      if (stdfs::exists(stdfs::symlink_status(top() / path))) continue;
      WriteFile(top() / path, "");
      paths_.push_back(path);
    }
  }

  void MakePatterns() {
    std::vector<std::string> owners = {""};
    owners.insert(owners.end(), directories_.begin(), directories_.end());
    for (const std::string& owner : owners) {
      if (!random_.Chance(owner.empty() ? 85 : 45)) continue;
      const std::string prefix = owner.empty() ? "" : owner + "/";
      std::vector<std::string> below;
      for (const std::string& path : paths_) {
        if (path.starts_with(prefix)) below.push_back(path.substr(prefix.size()));
      }
      const std::string text = random_.Patterns(below);
      const stdfs::path file = top() / (prefix + ".gitignore");
      patterns_[prefix + ".gitignore"] = text;
      const std::size_t dice = random_.Pick(100);
      if (dice < 5) {
        WriteFile(top() / (prefix + "target"), text);
        paths_.push_back(prefix + "target");  // which the link's own content would ignore
        stdfs::create_symlink("target", file);
        patterns_[prefix + ".gitignore"] += " (a symlink)";
      } else if (dice < 8) {
        WriteFile(file / "file", text);
        patterns_[prefix + ".gitignore"] += " (a directory)";
      } else {
        WriteFile(file, text);
        if (dice < 20) stdfs::permissions(file, stdfs::perms(0755));
      }
    }
  }

  RandomPatterns& random_;
  const TempDir folder_;
  std::string exclude_;
  std::vector<std::string> paths_;        // of files and directories
  std::vector<std::string> directories_;  // without the top
  std::map<std::string, std::string> patterns_;
};

std::vector<std::string> SplitAtNuls(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\0', start);
    parts.push_back(text.substr(start, end - start));
    start = end == std::string::npos ? text.size() : end + 1;
  }
  return parts;
}

// What git says of a path, and by which pattern. It warns of each .gitignore that is a symlink: that isn't part of the
// answer.
struct Verdict {
  bool ignored;
  std::string source;
};

std::vector<Verdict> AskGit(const WorkTree& tree, const std::vector<std::string>& questions) {
  std::string input;
  for (const std::string& question : questions) input += question + '\0';
  WriteFile(tree.top() / ".git/questions", input);
  int status = 0;
  const std::string output =
      tree.Git("check-ignore --no-index -v -n -z --stdin <.git/questions 2>.git/warnings", &status);
  const std::vector<std::string> fields = SplitAtNuls(output);  // source, line, pattern, path
  if (status > 1 || fields.size() != questions.size() * 4)
    throw std::runtime_error("git check-ignore: " + ReadFile(tree.top() / ".git/warnings"));
  std::vector<Verdict> verdicts;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const std::string& pattern = fields[4 * i + 2];
    if (fields[4 * i + 3] != questions[i]) throw std::runtime_error("git answered about another path: " + output);
    verdicts.push_back(
        Verdict{!pattern.empty() && pattern[0] != '!', fields[4 * i] + ":" + fields[4 * i + 1] + ": " + pattern});
  }
  return verdicts;
}

// The store on the repository, and its root tree.
class Opened {
 public:
  explicit Opened(const WorkTree& tree) {
    auto opened = OpenRepository(tree.top(), Durability::kProcess);
    if (!opened) throw std::runtime_error(opened.error().message);
    repository_ = std::move(*opened);
    trees_.emplace(*repository_.store);
    const auto head = repository_.store->ReadRef(kMain);
    if (!head || !*head) throw std::runtime_error("no branch main");
    const auto read = trees_->ReadHead(**head);
    if (!read) throw std::runtime_error(read.error().message);
    root_ = read->root;
  }

  TreeReader& trees() { return *trees_; }
  bool Ask(IgnoreRules& rules, const std::string& path, bool is_directory) {
    const auto ignored = rules.IsIgnored(root_, *RepoPath::Parse(path), is_directory);
    if (!ignored) throw std::runtime_error(ignored.error().message);
    return *ignored;
  }

 private:
  Repository repository_;
  std::optional<TreeReader> trees_;
  ObjectId root_;
};

// Compares all answers about a tree; returns how many paths are ignored. A difference is a failure.
int CountIgnored(RandomPatterns& random) {
  WorkTree tree(random);
  Opened opened(tree);
  IgnoreRules rules(opened.trees(), "", random.Patterns(tree.paths()));
  IgnoreRules forgetful(opened.trees(), "", tree.exclude(), 0);
  const std::vector<std::string> questions = tree.Questions();
  for (int i = 0; i < 20; ++i) opened.Ask(rules, questions[i], false);  // by an info/exclude that is no more
  rules.SetExclude(tree.exclude());
  const std::vector<Verdict> verdicts = AskGit(tree, questions);
  int ignored = 0;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const std::string& path = questions[i];
    const bool is_directory = tree.IsDirectory(path);
    const std::string about = ::testing::PrintToString(path) + (is_directory ? ", a directory" : "") +
                              "\ngit: " + verdicts[i].source + "\n" + tree.PatternsAbout(path);
    EXPECT_EQ(opened.Ask(rules, path, is_directory), verdicts[i].ignored) << about;
    EXPECT_EQ(opened.Ask(forgetful, path, is_directory), verdicts[i].ignored) << "without a cache: " << about;
    if (verdicts[i].ignored) ++ignored;
  }
  return ignored;
}

TEST(IgnoreRandom, AnswersAsGitCheckIgnore) {
  RandomPatterns random(concordfs::testing::Seed());
  int ignored = 0;
  for (int round = 0; round < kTrees && !HasFailure(); ++round) ignored += CountIgnored(random);
  if (HasFailure()) return;
  const int compared = kTrees * kQuestions;
  EXPECT_GT(ignored, compared / 10) << "too few are ignored to show anything";
  EXPECT_LT(ignored, compared * 9 / 10) << "too many are ignored to show anything";
}

TEST(IgnoreRandom, AnswersAsGitLsFilesWithPatternsOfTheCommandLine) {
  RandomPatterns random(concordfs::testing::Seed());
  for (int round = 0; round < kTrees; ++round) {
    WorkTree tree(random);
    Opened opened(tree);
    std::string lines;
    std::string arguments;
    for (std::size_t count = 1 + random.Pick(3); count > 0; --count) {
      const std::string pattern = random.PlainPattern(tree.paths());
      lines += pattern + "\n";
      arguments += " --exclude='" + pattern + "'";
    }
    IgnoreRules rules(opened.trees(), lines, tree.exclude());
    stdfs::remove(tree.top() / ".git/index");  // so that all files are untracked
    const std::vector<std::string> listed =
        SplitAtNuls(tree.MustGit("ls-files --others --ignored --exclude-standard -z" + arguments + " 2>.git/warnings"));
    const std::set<std::string> ignored(listed.begin(), listed.end());
    for (const std::string& path : tree.paths()) {
      if (tree.IsDirectory(path)) continue;
      ASSERT_EQ(opened.Ask(rules, path, false), ignored.contains(path))
          << ::testing::PrintToString(path) << "\ncommand line: " << ::testing::PrintToString(lines) << "\n"
          << tree.PatternsAbout(path);
    }
  }
}

}  // namespace
}  // namespace concordfs::vcs::git
