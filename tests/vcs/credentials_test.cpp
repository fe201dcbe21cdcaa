// Tokens, credential helpers, and what git's configuration says about HTTP.
#include "vcs/git/credentials.h"

#include "tests/vcs/git_repo.h"
#include "vcs/git/http_settings.h"
#include "vcs/git/request_body.h"

namespace concordfs::vcs::git {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Token : public ::testing::Test {
 protected:
  Result<Secret> Read(const std::string& content, mode_t mode = 0600) {
    WriteFile(file_, content);
    ::chmod(file_.c_str(), mode);
    return ReadTokenFile(file_);
  }
  TempDir folder_;
  const stdfs::path file_ = folder_.path() / "token";
};

TEST_F(Token, IsALineOfAFileThatOnlyItsOwnerMayRead) {
  EXPECT_EQ(Read("hush")->text(), "hush");
  EXPECT_EQ(Read("two words \r\n\n", 0400)->text(), "two words");
  for (const mode_t mode : {0640, 0604, 0644, 0660, 0601}) {
    const auto read = Read("hush", mode);
    EXPECT_CODE(read, Code::kAccess);
    EXPECT_THAT(read.error().message, AllOf(HasSubstr("others may read it"), Not(HasSubstr("hush"))));
  }
  for (const std::string& bad : {std::string(""), std::string("\n\n"), std::string("hush\nhush"), std::string("hu\0sh", 5), std::string(20'000, 'x')}) {
    const auto read = Read(bad);
    EXPECT_CODE(read, Code::kAccess);
    EXPECT_THAT(read.error().message, Not(HasSubstr("hush")));
  }
  EXPECT_CODE(ReadTokenFile(folder_.path() / "nowhere"), Code::kAccess);
  EXPECT_CODE(ReadTokenFile(folder_.path()), Code::kAccess);
}

TEST_F(Token, IsReadAgainWhenItIsNeeded) {
  ASSERT_OK(Read("first"));
  Credentials credentials(*ParseRemoteUrl("https://h/x"), Secret("of the environment"), file_, std::chrono::seconds(20));
  const auto first = credentials.Offer();
  ASSERT_OK(first);
  EXPECT_EQ((*first)->user, "x-access-token");
  EXPECT_EQ((*first)->password.text(), "first");
  EXPECT_CODE(credentials.AfterRefusal(*first), Code::kAccess);
  ASSERT_OK(Read("second"));
  EXPECT_EQ(credentials.AfterRefusal(*first)->password.text(), "second");
  ASSERT_OK(Read("third"));
  EXPECT_EQ((*credentials.Offer())->password.text(), "third");
  ::chmod(file_.c_str(), 0644);
  EXPECT_CODE(credentials.Offer(), Code::kAccess);
}

TEST_F(Token, GoesWithTheUserOfTheAddress) {
  Credentials credentials(*ParseRemoteUrl("https://ben%40son@h/x"), Secret("hush"), {}, std::chrono::seconds(20));
  const auto login = credentials.Offer();
  ASSERT_OK(login);
  EXPECT_EQ((*login)->user, "ben@son");
  EXPECT_EQ((*login)->password.text(), "hush");
}

TEST(SecretText, IsOverwritten) {
  std::string text = "hush";
  const char* const bytes = text.data();
  Secret::Wipe(text);
  EXPECT_EQ(text, "");
  EXPECT_EQ(std::string(bytes, 4), std::string(4, '\0'));
  Secret first("hush");
  const Secret second = std::move(first);
  EXPECT_EQ(second.text(), "hush");
}

class Helpers : public ::testing::Test {
 protected:
  // Its script sees "get", "store" or "erase" as $1, and has $LOG.
  void SetHelper(const std::string& script) {
    WriteFile(folder_.path() / "helper", "#!/bin/sh\nLOG=" + log_.string() + "\necho \"$1\" >> $LOG; cat >> $LOG\n" + script);
    ::chmod((folder_.path() / "helper").c_str(), 0700);
    WriteFile(folder_.path() / "gitconfig", "[credential]\n\tuseHttpPath = true\n\thelper = " + (folder_.path() / "helper").string() + "\n");
    ::setenv("GIT_CONFIG_GLOBAL", (folder_.path() / "gitconfig").c_str(), 1);
  }
  ~Helpers() override { ::unsetenv("GIT_CONFIG_GLOBAL"); }
  // What the helper heard since this was asked last.
  std::string Heard() {
    const std::string heard = ReadFile(log_);
    stdfs::remove(log_);
    return heard;
  }

  TempDir folder_;
  const stdfs::path log_ = folder_.path() / "log";
  Credentials credentials_{*ParseRemoteUrl("https://benson@h:8443/srv/x.git"), Secret(), {}, std::chrono::seconds(20)};
};

TEST_F(Helpers, AreAskedWhenTheServerAsksAndHearWhatBecameOfIt) {
  SetHelper("test $1 = get && echo password=hush && echo quit=0; exit 0\n");
  const auto nothing = credentials_.Offer();
  ASSERT_OK(nothing);
  EXPECT_FALSE(*nothing);
  const auto login = credentials_.AfterRefusal({});
  ASSERT_OK(login);
  EXPECT_EQ(login->user, "benson");
  EXPECT_EQ(login->password.text(), "hush");
  EXPECT_EQ(Heard(), "get\nprotocol=https\nhost=h:8443\npath=srv/x.git\nusername=benson\n");
  credentials_.NoteAccepted();
  credentials_.NoteAccepted();
  EXPECT_EQ(Heard(), "store\nprotocol=https\nhost=h:8443\npath=srv/x.git\nusername=benson\npassword=hush\n");
  EXPECT_EQ((*credentials_.Offer())->password.text(), "hush");
  EXPECT_EQ(Heard(), "");
  // It had worked: there may be another one by now. That one never worked: once is enough.
  const auto again = credentials_.AfterRefusal(*login);
  ASSERT_OK(again);
  EXPECT_THAT(Heard(), AllOf(HasSubstr("erase\n"), HasSubstr("get\n")));
  EXPECT_CODE(credentials_.AfterRefusal(*again), Code::kAccess);
  EXPECT_THAT(Heard(), AllOf(HasSubstr("erase\n"), Not(HasSubstr("get\n"))));
  EXPECT_FALSE(*credentials_.Offer());
}

TEST_F(Helpers, MayHaveNothing) {
  SetHelper("echo words of its own with password=hush in them >&2; exit 1\n");
  const auto login = credentials_.AfterRefusal({});
  EXPECT_CODE(login, Code::kAccess);
  EXPECT_THAT(login.error().message, AllOf(HasSubstr("neither a token nor a credential helper"), Not(HasSubstr("hush"))));
}

TEST_F(Helpers, ThatTalkForEverAreNotHeardOut) {
  SetHelper("test $1 = get && yes words=words; exit 0\n");
  Credentials impatient(*ParseRemoteUrl("https://h/x"), Secret(), {}, std::chrono::milliseconds(300));
  EXPECT_CODE(impatient.AfterRefusal({}), Code::kUnreachable);
}

TEST(HttpSettings, AreWhatGitPrints) {
  using namespace std::string_literals;
  const HttpSettings none = ParseHttpSettings("");
  EXPECT_TRUE(none.verifies);
  EXPECT_EQ(none.ca_file, "");
  const HttpSettings settings =
      ParseHttpSettings("http.postbuffer\n1\0http.sslcainfo\n/ca.pem\0http.sslcapath\n/ca\0http.sslverify\nfalse\0http.proxy\nhttp://p:1\0"s);
  EXPECT_EQ(settings.ca_file, "/ca.pem");
  EXPECT_EQ(settings.ca_folder, "/ca");
  EXPECT_FALSE(settings.verifies);
  EXPECT_EQ(settings.proxy, "http://p:1");
  EXPECT_FALSE(none.proxy);
  EXPECT_EQ(ParseHttpSettings("http.proxy\n\0"s).proxy, "");
  EXPECT_FALSE(ParseHttpSettings("http.sslverify\nOff\0"s).verifies);
  EXPECT_TRUE(ParseHttpSettings("http.sslverify\0"s).verifies);
  EXPECT_TRUE(ParseHttpSettings("http.sslverify\ntrue\0"s).verifies);
}

TEST(HttpSettings, AreThoseOfTheRepositoryForThisAddress) {
  ::unsetenv("GIT_SSL_CAINFO");
  const TempDir folder;
  Repo repo(folder.path() / "repo");
  ASSERT_EQ(repo.Git("config http.sslCAInfo /all.pem && git -C " + repo.path().string() + " config http.https://h.example/srv.sslCAInfo /one.pem").status, 0);
  const auto file = [&](const char* url) { return ReadHttpSettings(*ParseRemoteUrl(url), repo.path(), std::chrono::seconds(20)).ca_file; };
  EXPECT_EQ(file("https://h.example/srv/x.git"), "/one.pem");
  EXPECT_EQ(file("https://other/srv/x.git"), "/all.pem");
}

TEST(RequestBody, IsTheSameInMemoryAndInAFile) {
  const TempDir folder;
  const std::string bytes = RandomBytes(3 << 20);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, RequestBody::kMostInMemory, RequestBody::kMostInMemory + 1, bytes.size()}) {
    RequestBody body(folder.path());
    for (std::size_t at = 0; at < size; at += 100'000) ASSERT_OK(body.Append(bytes.substr(at, std::min<std::size_t>(100'000, size - at))));
    EXPECT_EQ(body.size(), size);
    EXPECT_EQ(body.IsLarge(), size > RequestBody::kMostInMemory);
    for (int turn = 0; turn < 2; ++turn) {
      std::string read(size + 10, '\0');
      std::size_t count = 0;
      for (;;) {
        const auto piece = body.Read(count, read.data() + count, 70'000 < read.size() - count ? 70'000 : read.size() - count);
        ASSERT_OK(piece);
        if (*piece == 0) break;
        count += *piece;
      }
      EXPECT_EQ(count, size);
      EXPECT_TRUE(read.substr(0, size) == bytes.substr(0, size));
    }
  }
  EXPECT_TRUE(stdfs::is_empty(folder.path())) << "the file has no name";
}

TEST(RequestBody, SaysWhereThereIsNoRoom) {
  RequestBody body("/nonexistent");
  ASSERT_OK(body.Append("little"));
  EXPECT_FALSE(body.Append(std::string(RequestBody::kMostInMemory, 'x')).ok());
}

}  // namespace
}  // namespace concordfs::vcs::git
