// A remote by HTTP: what its server may do wrong, and what that means.
#include "vcs/git/http_connection.h"

#include <optional>

#include "tests/vcs/git_repo.h"
#include "tests/vcs/http_server.h"
#include "vcs/git/git_remote.h"

namespace concordfs::vcs::git {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Then = WebReply::Then;

constexpr char kBasic[] = "Basic eC1hY2Nlc3MtdG9rZW46aHVzaA==";  // x-access-token:hush
constexpr char kRealm[] = "WWW-Authenticate: Basic realm=\"git\"\r\n";

class HttpRemote : public ::testing::Test {
 protected:
  HttpRemote() {
    ::setenv("no_proxy", "127.0.0.1", 1);
    EXPECT_EQ(Shell("git init -q --bare -b main " + server_.string()).status, 0);
    GitRemoteOptions local;
    local.url = *ParseRemoteUrl(server_.string());
    local.ref = kMain;
    local.git_dir = repo_.path();
    EXPECT_TRUE(MakeGitRemote(repo_.store(), local)->Push(AllOfMain()).ok());
    options_.ref = kMain;
    options_.git_dir = repo_.path();
    options_.connect.silence = std::chrono::seconds(20);
  }

  // What git on the other end would say.
  WebReply Serve(const WebRequest& request) {
    const bool is_push = request.target.find("git-receive-pack") != std::string::npos;
    const std::string program = is_push ? "receive-pack" : "upload-pack";
    if (request.method == "GET") {
      const std::string refs = Shell("git " + program + " --stateless-rpc --advertise-refs " + server_.string()).output;
      const std::string service = "# service=git-" + program + "\n";
      std::array<char, 5> length;
      std::snprintf(length.data(), length.size(), "%04zx", service.size() + 4);
      return Answer("200 OK", "application/x-git-" + program + "-advertisement", length.data() + service + "0000" + refs);
    }
    WriteFile(folder_.path() / "body", request.body);
    const Outcome outcome = Shell("git " + program + " --stateless-rpc " + server_.string() + " < " + (folder_.path() / "body").string());
    return Answer("200 OK", "application/x-git-" + program + "-result", outcome.output);
  }
  void Start(std::function<WebReply(const WebRequest&)> answer) {
    web_.emplace(std::move(answer));
    options_.url = *ParseRemoteUrl(web_->Url() + "/x.git");
    remote_ = MakeGitRemote(repo_.store(), options_);
  }
  // Answers as git does, but for POSTs.
  void StartWithPost(std::function<WebReply(const WebRequest&)> answer) {
    Start([this, answer](const WebRequest& request) { return request.method == "POST" ? answer(request) : Serve(request); });
  }
  Publication AllOfMain() {
    Publication publication;
    publication.ref = kMain;
    publication.tip = repo_.Head();
    return publication;
  }
  Publication Change(const std::string& content) {
    const auto blob = repo_.store().AddBlob(content);
    Publication publication = repo_.CommitOf(*blob, repo_.Head(), "change");
    publication.stored = {StoredBlob{*blob, std::nullopt}};
    EXPECT_TRUE(repo_.store().Publish(publication).ok());
    return publication;
  }
  Result<void> Push(const std::string& content = "1") { return remote_->Push(Change(content)); }
  std::string ServerHead() { return Shell("git -C " + server_.string() + " rev-parse refs/heads/main").output.substr(0, ObjectId::kHexSize); }

  TempDir folder_;
  const stdfs::path server_ = folder_.path() / "server.git";
  Repo repo_{folder_.path() / "repo"};
  GitRemoteOptions options_;
  std::optional<WebServer> web_;
  std::unique_ptr<Remote> remote_;
};

TEST_F(HttpRemote, TakesPushesAndIsFetchedOverOneConnection) {
  Start([this](const WebRequest& request) { return Serve(request); });
  for (const char* content : {"1", "2", "3"}) {
    ASSERT_OK(Push(content));
    EXPECT_EQ(ServerHead(), repo_.Head().Hex());
  }
  const auto fetched = remote_->Fetch({});
  ASSERT_OK(fetched);
  EXPECT_EQ(*fetched, repo_.Head());
  EXPECT_EQ(web_->Connections(), 1U);
  for (const WebRequest& request : web_->Requests()) EXPECT_EQ(request.Header("authorization"), "");
}

TEST_F(HttpRemote, ConnectsAgainWhereTheConnectionWasNotKept) {
  Start([this](const WebRequest& request) {
    WebReply reply = Serve(request);
    reply.bytes.insert(reply.bytes.find("\r\n") + 2, "Connection: close\r\n");
    reply.then = Then::kClose;
    return reply;
  });
  ASSERT_OK(Push("1"));
  ASSERT_OK(Push("2"));
  EXPECT_EQ(web_->Connections(), 4U);
}

TEST_F(HttpRemote, ConnectsAgainWhereAKeptConnectionWasClosedMeanwhile) {
  StartWithPost([this](const WebRequest& request) {
    WebReply reply = Serve(request);
    reply.then = Then::kClose;
    return reply;
  });
  ASSERT_OK(Push("1"));
  ASSERT_OK(Push("2"));
  EXPECT_EQ(ServerHead(), repo_.Head().Hex());
  EXPECT_EQ(web_->Connections(), 2U);
}

TEST_F(HttpRemote, IsAskedWhetherItLetsUsInBeforeALargePush) {
  Start([this](const WebRequest& request) { return Serve(request); });
  ASSERT_OK(Push(RandomBytes(3 << 20)));
  EXPECT_EQ(ServerHead(), repo_.Head().Hex());
  const auto requests = web_->Requests();
  ASSERT_THAT(requests, SizeIs(3));
  EXPECT_EQ(requests[1].body, "0000");
  EXPECT_GT(requests[2].body.size(), std::size_t{3 << 20});
}

// The first POST only asks whether we are let in; the second one is the push.
TEST_F(HttpRemote, IsSentALargeRequestAgainWithTheLoginThatCountsByThen) {
  options_.connect.token_file = folder_.path() / "token";
  const auto write_token = [&](const char* token) {
    WriteFile(options_.connect.token_file, token);
    ::chmod(options_.connect.token_file.c_str(), 0600);
  };
  write_token("before\n");
  int posts = 0;
  StartWithPost([&](const WebRequest& request) {
    if (++posts != 2) return Serve(request);
    write_token("hush\n");
    return Answer("401 Unauthorized", "text/html", "", kRealm);
  });
  ASSERT_OK(Push(RandomBytes(3 << 20)));
  EXPECT_EQ(ServerHead(), repo_.Head().Hex());
  EXPECT_EQ(web_->Requests().back().Header("authorization"), kBasic);
}

TEST_F(HttpRemote, IsSentAPushOnceAlsoOverAConnectionThatBreaks) {
  int posts = 0;
  StartWithPost([&](const WebRequest& request) {
    (void)Serve(request);
    return ++posts == 1 ? WebReply{"", Then::kClose} : Answer("404 Not Found", "text/html", "");
  });
  const auto pushed = Push();
  EXPECT_CODE(pushed, Code::kInDoubt);
  EXPECT_THAT(pushed.error().message, HasSubstr("the connection was closed"));
  EXPECT_EQ(ServerHead(), repo_.Head().Hex());
  EXPECT_THAT(web_->Requests(), SizeIs(2));
}

struct Fault {
  const char* name;
  WebReply reply;
  Code asked;   // what a GET means that is answered so
  Code pushed;  // and a push
};

const Fault kFaults[] = {
    {"no access", Answer("403 Forbidden", "text/plain", "You may not\n"), Code::kAccess, Code::kAccess},
    {"no repository", Answer("404 Not Found", "text/html", "<p>"), Code::kAccess, Code::kAccess},
    {"unauthorized", Answer("401 Unauthorized", "text/html", "<p>", kRealm), Code::kAccess, Code::kAccess},
    {"too large", Answer("413 Content Too Large", "text/html", "<p>"), Code::kUnreachable, Code::kDeclined},
    {"too many", Answer("429 Too Many Requests", "text/html", "<p>"), Code::kUnreachable, Code::kInDoubt},
    {"broken", Answer("500 Internal Server Error", "text/html", "<p>"), Code::kUnreachable, Code::kInDoubt},
    {"away", Answer("503 Service Unavailable", "text/html", "<p>"), Code::kUnreachable, Code::kInDoubt},
    {"a page", Answer("200 OK", "text/html", "<p>Please log in"), Code::kUnreachable, Code::kInDoubt},
    {"elsewhere", Answer("302 Found", "text/html", "", "Location: http://127.0.0.1:1/login\r\n"), Code::kAccess, Code::kInDoubt},
    {"silent end", {"", Then::kClose}, Code::kUnreachable, Code::kInDoubt},
    {"half a head", {"HTTP/1.1 200 OK\r\nContent-Ty", Then::kClose}, Code::kUnreachable, Code::kInDoubt},
    {"not HTTP", {"SSH-2.0-OpenSSH_9.2\r\n", Then::kClose}, Code::kUnreachable, Code::kInDoubt},
    {"half an answer", {"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-receive-pack-result\r\nContent-Length: 100\r\n\r\n0030\1000eunpack ok\n", Then::kClose},
     Code::kUnreachable, Code::kInDoubt},
    {"empty answer", Answer("200 OK", "application/x-git-receive-pack-result", ""), Code::kUnreachable, Code::kInDoubt},
};

TEST_F(HttpRemote, MeansByEachFaultWhatCanBeKnown) {
  for (const Fault& fault : kFaults) {
    SCOPED_TRACE(fault.name);
    Start([&](const WebRequest&) { return fault.reply; });
    EXPECT_CODE(remote_->Fetch({}), fault.asked);
    EXPECT_CODE(Push(), fault.asked);
    web_.reset();
    StartWithPost([&](const WebRequest&) { return fault.reply; });
    // On what the server has.
    Publication publication = AllOfMain();
    publication.expected = *ObjectId::FromHex(ServerHead());
    EXPECT_CODE(remote_->Push(publication), fault.pushed);
    web_.reset();
  }
}

TEST_F(HttpRemote, IsQuotedWhereItsWordsAreForPeople) {
  Start([](const WebRequest&) { return Answer("403 Forbidden", "text/plain; charset=utf-8", "You may\nnot\x1b[1m\n"); });
  EXPECT_THAT(remote_->Fetch({}).error().message, HasSubstr("no access (HTTP 403): You may not [1m"));
}

TEST_F(HttpRemote, ThatSaysNoMoreIsWaitedForNoLongerThanItMayBeSilent) {
  options_.connect.silence = std::chrono::milliseconds(200);
  Start([](const WebRequest&) { return WebReply{"", Then::kSaysNoMore}; });
  EXPECT_CODE(remote_->Fetch({}), Code::kUnreachable);
  web_.reset();
  Start([](const WebRequest&) {
    return WebReply{"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\nContent-Length: 9000\r\n\r\n001e# ser", Then::kSaysNoMore};
  });
  EXPECT_THAT(remote_->Fetch({}).error().message, HasSubstr("no answer for 200 ms"));
}

TEST_F(HttpRemote, ThatSaysNoMoreAfterAPushIsInDoubt) {
  options_.connect.silence = std::chrono::seconds(5);  // what comes before is answered by then
  StartWithPost([&](const WebRequest& request) {
    (void)Serve(request);
    return WebReply{"", Then::kSaysNoMore};
  });
  EXPECT_CODE(Push(), Code::kInDoubt);
  EXPECT_EQ(ServerHead(), repo_.Head().Hex());
}

TEST_F(HttpRemote, ThatIsGoneBeforeAPushIsSentGotNothingOfIt) {
  Start([this](const WebRequest& request) {
    WebReply reply = Serve(request);
    reply.bytes.insert(reply.bytes.find("\r\n") + 2, "Connection: close\r\n");
    web_->StopListening();
    return reply;
  });
  EXPECT_CODE(Push(), Code::kUnreachable);
}

TEST_F(HttpRemote, IsToldTheTokenAndNobodyElseIs) {
  options_.connect.token = Secret("hush");
  WebServer other([this](const WebRequest& request) { return Serve(request); });
  const std::string words(3 << 20, 'x');  // more than come at a time
  Start([&](const WebRequest& request) {
    return Answer("302 Found", "text/html", words, "Location: " + other.Url() + request.target + "\r\n");
  });
  ASSERT_OK(Push());
  EXPECT_EQ(ServerHead(), repo_.Head().Hex());
  EXPECT_EQ(web_->Requests().at(0).Header("authorization"), kBasic);
  EXPECT_THAT(other.Requests(), SizeIs(2));
  for (const WebRequest& request : other.Requests()) EXPECT_EQ(request.Header("authorization"), "");
}

TEST_F(HttpRemote, ThatSendsUsToWhoWantsAPasswordIsNoAccess) {
  options_.connect.token = Secret("hush");
  WebServer other([](const WebRequest&) { return Answer("401 Unauthorized", "text/html", "", kRealm); });
  Start([&](const WebRequest& request) {
    return Answer("301 Moved", "text/html", "", "Location: " + other.Url() + request.target + "\r\n");
  });
  const auto fetched = remote_->Fetch({});
  EXPECT_CODE(fetched, Code::kAccess);
  EXPECT_THAT(fetched.error().message, AllOf(HasSubstr("isn't the server of the remote's address"), Not(HasSubstr("hush"))));
  for (const WebRequest& request : other.Requests()) EXPECT_EQ(request.Header("authorization"), "");
}

TEST_F(HttpRemote, ThatSendsUsOnForEverIsLeft) {
  Start([&](const WebRequest& request) {
    return Answer("307 Again", "text/html", "", "Location: " + request.target + "\r\n");
  });
  EXPECT_CODE(remote_->Fetch({}), Code::kAccess);
}

TEST_F(HttpRemote, IsNotWaitedForWhileACredentialHelperHangs) {
  options_.connect.silence = std::chrono::milliseconds(700);
  WriteFile(folder_.path() / "gitconfig", "[credential]\n\thelper = \"!sleep 1000 #\"\n");
  ::setenv("GIT_CONFIG_GLOBAL", (folder_.path() / "gitconfig").c_str(), 1);
  Start([](const WebRequest&) { return Answer("401 Unauthorized", "text/html", "", kRealm); });
  EXPECT_CODE(remote_->Fetch({}), Code::kUnreachable);
  ::unsetenv("GIT_CONFIG_GLOBAL");
}

TEST_F(HttpRemote, AsksNoHelperThatOnlyTheRepositoryNames) {
  WriteFile(folder_.path() / "gitconfig", "");
  ::setenv("GIT_CONFIG_GLOBAL", (folder_.path() / "gitconfig").c_str(), 1);
  const auto ran = folder_.path() / "ran";
  ASSERT_EQ(repo_.Git("config credential.helper '!touch " + ran.string() + " #'").status, 0);
  Start([](const WebRequest&) { return Answer("401 Unauthorized", "text/html", "", kRealm); });
  EXPECT_CODE(remote_->Fetch({}), Code::kAccess);
  EXPECT_FALSE(stdfs::exists(ran));
  ::unsetenv("GIT_CONFIG_GLOBAL");
}

TEST(HttpRedirect, LeadsToAnotherRepositoryAndNeverFromSecretToOpen) {
  constexpr char kTail[] = "/info/refs?service=git-upload-pack";
  const auto follow = [&](const std::string& from, const std::string& to) { return FollowRedirect(*ParseRemoteUrl(from), to, kTail); };
  EXPECT_EQ(follow("http://h/x", std::string("https://H:444/y.git") + kTail)->Shown(), "https://H:444/y.git");
  EXPECT_EQ(follow("https://h/x", std::string("https://u@other/y") + kTail)->Shown(), "https://other/y");
  EXPECT_EQ(follow("https://h/x", std::string("https://u@other/y") + kTail)->user, "");
  EXPECT_CODE(follow("https://h/x", std::string("http://h/x") + kTail), Code::kAccess);
  EXPECT_CODE(follow("https://h/x", "https://h/login"), Code::kAccess);
  EXPECT_CODE(follow("https://h/x", ""), Code::kAccess);
  EXPECT_CODE(follow("https://h/x", std::string("ftp://h/x") + kTail), Code::kAccess);
  EXPECT_CODE(follow("https://h/x", std::string("/etc") + kTail), Code::kAccess);
}

TEST(HttpRedirect, KeepsTheLoginOnTheSameServer) {
  const auto same = [](const char* from, const char* to) { return IsSameServer(*ParseRemoteUrl(from), *ParseRemoteUrl(to)); };
  EXPECT_TRUE(same("https://h/x", "https://H:443/y"));
  EXPECT_TRUE(same("http://h/x", "https://h/x"));
  EXPECT_FALSE(same("https://h/x", "http://h/x"));
  EXPECT_FALSE(same("https://h/x", "https://h:444/x"));
  EXPECT_FALSE(same("http://h:8080/x", "https://h/x"));
  EXPECT_FALSE(same("https://h/x", "https://h.evil/x"));
}

}  // namespace
}  // namespace concordfs::vcs::git
