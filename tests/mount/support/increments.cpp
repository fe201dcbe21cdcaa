#include "tests/mount/support/increments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

namespace concordfs::mounttest {
namespace {

constexpr char kCount[] = R"(
import errno, os, sys, time
folder, name, agent, calm = sys.argv[1:]
attempts = 0

def write(fd, text):
    try: os.pwrite(fd, text, 0)
    finally: os.close(fd)

# Returns what became of one attempt; raises where the daemon is gone.
def increment(place, token):
    fd = os.open(name, os.O_RDWR, dir_fd=place)
    try: value = int(os.pread(fd, 40, 0).split()[0]) + 1
    except BaseException:
        os.close(fd)
        raise
    text = b"%-39s\n" % (b"%d %s" % (value, token.encode()))
    stage = "stale"
    try:
        os.pwrite(fd, text, 0)
        stage = "refused"
    except OSError as error:
        os.close(fd)
        if error.errno == errno.ESTALE: return stage
        raise
    try:
        os.close(fd)
        os.fstatvfs(place)  # a close answers 0 also when the daemon was gone before
        return "acknowledged"
    except OSError as error:
        if error.errno == errno.ESTALE: return stage
        if error.errno != errno.EHOSTUNREACH: raise
    while True:
        try:
            write(os.open(name, os.O_WRONLY, dir_fd=place), text)  # to truncate would be to throw away what is to be kept
            os.fstatvfs(place)
            return "acknowledged"
        except OSError as error:
            if error.errno == errno.ESTALE: return "in_doubt"
            if error.errno != errno.EHOSTUNREACH: raise

while True:
    was_calm = os.path.exists(calm)
    token = "%s-%d" % (agent, attempts)
    became = "orphaned"
    try:
        place = os.open(folder, os.O_DIRECTORY)
        try:
            attempts += 1
            became = increment(place, token)
        finally: os.close(place)
    except OSError as error:
        if error.errno == errno.ESTALE: became = "stale"  # at the open
        elif error.errno not in (errno.ENOTCONN, errno.ECONNABORTED, errno.ENOENT, errno.EIO): raise
        else: print(errno.errorcode[error.errno], file=sys.stderr)
        time.sleep(0.005)
    print(became, token, flush=True)
    if was_calm and became == "acknowledged": break
)";

// The lines that a path's versions on the branch had, oldest first.
std::vector<std::string> HistoryOf(const Repository& origin, const std::string& name) {
  std::vector<std::string> lines;
  for (const std::string& line : Lines(origin.Output({"log", "--reverse", "--format=", "-p", "main", "--", name}))) {
    if (line.size() > 1 && line[0] == '+' && line[1] != '+') lines.push_back(line.substr(1));
  }
  return lines;
}

std::string TokenIn(const std::string& line) {
  std::string value;
  std::string token;
  std::istringstream(line) >> value >> token;
  return token;
}

// How many of `tokens` are in `landed`.
std::size_t CountIn(const std::set<std::string>& tokens, const std::set<std::string>& landed) {
  return static_cast<std::size_t>(std::count_if(tokens.begin(), tokens.end(), [&](const auto& token) { return landed.contains(token); }));
}

}  // namespace

Incrementer::Incrementer(const std::string& agent, const std::filesystem::path& folder, const std::string& name,
                         const std::filesystem::path& calm)
    : process_({.argv = {CONCORDFS_PYTHON, "-I", "-S", "-c", kCount, folder, name, agent, calm},
                .cwd = "/",
                .environment = {{"CONCORDFS_AGENT", agent}},
                .output_file = {}}) {}

Increments Incrementer::Finish() {
  const Outcome outcome = process_.Wait(Milliseconds(50'000));
  EXPECT_EQ(outcome.status, 0) << outcome;
  Increments increments;
  std::map<std::string, std::set<std::string>*> kinds{{"acknowledged", &increments.acknowledged},
                                                      {"refused", &increments.refused},
                                                      {"stale", &increments.stale},
                                                      {"in_doubt", &increments.in_doubt},
                                                      {"orphaned", &increments.orphaned}};
  std::istringstream lines(outcome.out);
  for (std::string became, token; lines >> became >> token;) kinds.at(became)->insert(token);
  return increments;
}

std::string CounterAtZero() { return "0 start" + std::string(32, ' ') + "\n"; }

void ExpectCounted(const Repository& origin, const std::string& name, const std::vector<Increments>& all) {
  std::set<std::string> landed;
  int value = 0;
  for (const std::string& line : HistoryOf(origin, name)) {
    EXPECT_EQ(line.substr(0, line.find(' ')), std::to_string(value++)) << name << ": " << line;
    EXPECT_TRUE(landed.insert(TokenIn(line)).second) << name << " has twice: " << line;
  }
  std::size_t counted = 0;
  for (const Increments& of : all) {
    EXPECT_EQ(CountIn(of.acknowledged, landed), of.acknowledged.size()) << name << " lost some of " << ::testing::PrintToString(of.acknowledged);
    EXPECT_EQ(CountIn(of.refused, landed), 0U) << name << " has some of " << ::testing::PrintToString(of.refused);
    EXPECT_EQ(CountIn(of.stale, landed), 0U) << name << " has some of " << ::testing::PrintToString(of.stale);
    counted += of.acknowledged.size() + CountIn(of.in_doubt, landed) + CountIn(of.orphaned, landed);
  }
  EXPECT_EQ(value - 1, static_cast<int>(counted)) << name << ": the last value is not what was counted";
}

void ExpectParked(const std::filesystem::path& repository, const Repository& origin, const std::string& name, const Increments& of) {
  std::set<std::string> landed;
  for (const std::string& line : HistoryOf(origin, name)) landed.insert(TokenIn(line));
  std::set<std::string> missing;
  // What became stale while nobody had it open is parked a moment later.
  EXPECT_TRUE(Eventually([&] {
    const Outcome parked = RunAs("", "git for-each-ref --format='%(objectname):" + name + "' refs/concordfs/rejected refs/concordfs/recovered | "
                                 "git cat-file --batch", repository);
    EXPECT_EQ(parked.status, 0) << parked;
    missing = of.refused;
    missing.insert(of.in_doubt.begin(), of.in_doubt.end());
    for (const std::string& token : landed) missing.erase(token);
    for (const std::string& line : Lines(parked.out)) missing.erase(TokenIn(line));
    return missing.empty();
  })) << name << ": lost are " << ::testing::PrintToString(missing);
}

}  // namespace concordfs::mounttest
