// A remote by http:// and https://, with a real server that wants a password.
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "tests/mount/support/apache_server.h"
#include "tests/mount/support/machines.h"

namespace concordfs::mounttest {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kUser[] = "benson";
constexpr char kPassword[] = "hush+hush/4711";

class RemoteHttp : public MachinesTest {
 protected:
  void SetUp() override {
    MachinesTest::SetUp();
    if (HasFatalFailure()) return;
    apache_ = std::make_unique<ApacheServer>(temp().path() / "apache", temp().path() / "server");
    apache_->SetPassword(kUser, kPassword);
    WriteToken(kPassword);
  }

  ApacheServer& apache() { return *apache_; }
  std::string Https() const { return apache_->Https("git/origin.git", kUser); }
  std::filesystem::path token_file() const { return temp().path() / "token"; }
  void WriteToken(const std::string& token) {
    const auto fresh = temp().path() / "token.new";
    std::filesystem::remove(fresh);
    WriteFile(fresh, "");
    ::chmod(fresh.c_str(), 0600);
    WriteFile(fresh, token + "\n");
    std::filesystem::rename(fresh, token_file());
  }
  // What makes a client trust the server.
  Environment Trusting(Environment more = {}) const {
    more["GIT_SSL_CAINFO"] = apache_->authority();
    return more;
  }
  std::unique_ptr<Mount> HttpMachine(const std::string& name, const std::string& url, std::vector<std::string> more,
                                     const Environment& environment) {
    more.insert(more.begin(), {"--remote", url});
    return std::make_unique<Mount>(temp().path() / (name + ".git"), temp().path() / name, more, environment);
  }
  // One that knows the server and the password.
  std::unique_ptr<Mount> Member(const std::string& name, std::vector<std::string> more = {}) {
    more.insert(more.end(), {"--remote-token-file", token_file()});
    return HttpMachine(name, Https(), more, Trusting());
  }
  void InstallSharedHook(const std::string& name, const std::string& script) {
    InstallHook(name, script);
    ::chmod((origin().path() / "hooks" / name).c_str(), 0755);
  }
  // Nobody is shown what is secret: neither in messages nor where programs' arguments can be seen.
  void ExpectNoSecretIn(const Mount& machine, const std::string& secret) {
    EXPECT_THAT(machine.Log(), Not(HasSubstr(secret)));
    EXPECT_THAT(ReadFile(temp().path() / (machine.path().filename().string() + ".git") / "concordfs/log"), Not(HasSubstr(secret)));
    for (const auto& arguments : {std::vector<std::string>{"status", machine.path(), "--json"}, {"status", machine.path()}}) {
      EXPECT_THAT(Concordfs(arguments).out, AllOf(Not(HasSubstr(secret)), Not(HasSubstr(std::string(kUser) + "@"))));
    }
    EXPECT_THAT(ReadFile("/proc/" + std::to_string(machine.pid()) + "/environ"), Not(HasSubstr(secret)));
    for (const auto& process : std::filesystem::directory_iterator("/proc")) {
      std::ifstream arguments(process.path() / "cmdline");
      const std::string text((std::istreambuf_iterator<char>(arguments)), {});
      EXPECT_THAT(text, Not(HasSubstr(secret)));
    }
  }

 private:
  std::unique_ptr<ApacheServer> apache_;
};

TEST_F(RemoteHttp, IsFetchedAndHasTheCommitWhenCloseReturns) {
  Clone(origin(), temp().path() / "outside").Push("dir/f", "from before\n");
  const auto machine = Member("a");
  EXPECT_EQ(ReadFile(machine->path() / "dir/f"), "from before\n");
  ASSERT_EQ(Write("andrew", machine->path() / "f", "hello\n"), "ok");
  EXPECT_EQ(origin().Show("f"), "hello\n");
  EXPECT_THAT(origin().Log("%an: %s", "f"), ::testing::ElementsAre("andrew: Create f"));
  const auto status = RemoteStatus(*machine);
  EXPECT_EQ(status["state"], "up to date");
  EXPECT_EQ(status["url"], apache().Https("git/origin.git"));
  ExpectNoSecretIn(*machine, kPassword);
  ExpectAllSound({machine.get()});
}

TEST_F(RemoteHttp, GetsAPushOverTheConnectionThatItWasAskedOn) {
  const auto machine = Member("a", {"--fetch-period", "3600"});
  for (const char* content : {"1\n", "2\n", "3\n", "4\n"}) ASSERT_EQ(Write("andrew", machine->path() / "f", content), "ok");
  std::vector<std::string> pushes;
  const auto all_are_noted = [&] {  // after it is answered
    pushes.clear();
    for (const std::string& request : apache().Requests()) {
      if (request.starts_with("POST /git/origin.git/git-receive-pack 200")) pushes.push_back(request);
    }
    return pushes.size() == 4;
  };
  EXPECT_TRUE(Eventually(all_are_noted)) << pushes.size();
  EXPECT_THAT(pushes, Not(Contains(::testing::EndsWith(" 0")))) << "none was the first on its connection";
}

TEST_F(RemoteHttp, TellsAStaleWriterOnAnotherMachineAndParksItsWork) {
  const auto a = Member("a");
  const auto b = Member("b", {"--fetch-period", "3600"});
  ASSERT_EQ(Write("andrew", a->path() / "f", "A\n"), "ok");
  ASSERT_EQ(Concordfs({"sync", b->path()}).status, 0);
  AgentShell benson("benson", b->path());
  ASSERT_EQ(benson.Do("cat f").out, "A\n");
  ASSERT_EQ(RunAs("andrew", "cat f && echo B > f", a->path()).status, 0);
  EXPECT_THAT(benson.Do("cp /proc/self/cmdline f").err, HasSubstr("Stale file handle"));
  EXPECT_EQ(origin().Show("f"), "B\n");
  EXPECT_EQ(benson.Do("cat f").out, "B\n") << "what the refused push brought";
  EXPECT_THAT(Lines(Git(temp().path() / "b.git", {"for-each-ref", "refs/concordfs/rejected/benson"}).out), SizeIs(1));
  ASSERT_EQ(benson.Do("echo C >> f").status, 0);
  EXPECT_EQ(origin().Show("f"), "B\nC\n");
  ExpectAllSound({a.get(), b.get()});
}

TEST_F(RemoteHttp, TakesAWrongPasswordForNoAccessUntilTheFileHasTheRightOne) {
  const auto machine = Member("a", {"--fetch-period", "3600"});
  ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n"), "ok");
  apache().SetPassword(kUser, "another password");
  EXPECT_EQ(Write("andrew", machine->path() / "f", "2\n"), "EACCES");
  EXPECT_EQ(State(*machine), "no access");
  EXPECT_EQ(RunAs("reader", "cat f", machine->path()).out, "1\n");
  WriteToken("another password");
  EXPECT_EQ(Write("andrew", machine->path() / "f", "3\n"), "ok");
  EXPECT_EQ(origin().Show("f"), "3\n");
  EXPECT_EQ(State(*machine), "up to date");
  ::chmod(token_file().c_str(), 0640);
  EXPECT_EQ(Write("andrew", machine->path() / "f", "4\n"), "EACCES");
  EXPECT_THAT(RemoteStatus(*machine)["last_error"].get<std::string>(), HasSubstr("others may read it"));
  ExpectNoSecretIn(*machine, "another password");
}

TEST_F(RemoteHttp, RefusesToMountWithATokenThatOthersMayReadOrNobodyNeeds) {
  std::filesystem::create_directories(temp().path() / "a");
  const auto mount = [this](const std::string& url) {
    return Concordfs({"mount", temp().path() / "a.git", temp().path() / "a", "-o", "remote=" + url + ",remote_token_file=" + token_file().string()}, "/", Trusting());
  };
  ::chmod(token_file().c_str(), 0644);
  const Outcome open = mount(Https());
  EXPECT_EQ(open.status, 1);
  EXPECT_THAT(open.err, AllOf(HasSubstr("others may read it"), Not(HasSubstr(kPassword))));
  ::chmod(token_file().c_str(), 0600);
  EXPECT_THAT(mount(Url()).err, HasSubstr("for http:// and https:// only"));
  WriteToken("wrong");
  const Outcome wrong = mount(Https());
  EXPECT_EQ(wrong.status, 1);
  EXPECT_THAT(wrong.err, AllOf(HasSubstr("the token is refused"), Not(HasSubstr(std::string(kUser) + "@"))));
}

TEST_F(RemoteHttp, TakesATokenFromTheEnvironmentWhichForgetsIt) {
  const auto machine = HttpMachine("a", Https(), {}, Trusting({{"CONCORDFS_REMOTE_TOKEN", kPassword}}));
  ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n"), "ok");
  EXPECT_EQ(origin().Show("f"), "1\n");
  ExpectNoSecretIn(*machine, kPassword);
}

TEST_F(RemoteHttp, AsksGitsCredentialHelpersAndTellsThemWhatBecameOfIt) {
  const auto asked = temp().path() / "asked";
  const auto stored = temp().path() / "stored";
  const auto helper = temp().path() / "helper";
  WriteFile(stored, kPassword);
  WriteFile(helper, "#!/bin/sh\necho $1 >> " + asked.string() + "; cat >> " + asked.string() + "; test $1 != get || { echo username=" + kUser +
                        "; echo \"password=$(cat " + stored.string() + ")\"; }\n");
  ::chmod(helper.c_str(), 0700);
  WriteFile(temp().path() / "gitconfig", "[credential]\n\thelper = " + helper.string() + "\n[http]\n\tsslCAInfo = " + apache().authority().string() + "\n");
  const auto machine = HttpMachine("a", apache().Https("git/origin.git"), {"--fetch-period", "3600"}, {{"GIT_CONFIG_GLOBAL", temp().path() / "gitconfig"}});
  ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n"), "ok");
  EXPECT_EQ(origin().Show("f"), "1\n");
  EXPECT_THAT(ReadFile(asked), AllOf(StartsWith("get\n"), HasSubstr("protocol=https\nhost=localhost:"), HasSubstr("store\n"), Not(HasSubstr("erase\n"))));
  // A password that isn't right any more is forgotten, and asked for again.
  WriteFile(stored, "the next one");
  apache().SetPassword(kUser, "the next one");
  WriteFile(asked, "");
  EXPECT_EQ(Write("andrew", machine->path() / "f", "2\n"), "ok");
  EXPECT_THAT(ReadFile(asked), AllOf(StartsWith("erase\n"), HasSubstr("get\n"), HasSubstr("store\n")));
  apache().SetPassword(kUser, "a third one");
  EXPECT_EQ(Write("andrew", machine->path() / "f", "3\n"), "EACCES");
  EXPECT_EQ(State(*machine), "no access");
  for (const char* secret : {kPassword, "the next one"}) ExpectNoSecretIn(*machine, secret);
}

TEST_F(RemoteHttp, WantsAPasswordThatNobodyHas) {
  const auto machine = Member("a");
  machine->Unmount();
  std::filesystem::remove(token_file());
  const auto nobody = HttpMachine("a", Https(), {}, Trusting());
  EXPECT_EQ(State(*nobody), "no access");
  EXPECT_EQ(Write("andrew", nobody->path() / "f", "1\n"), "EACCES");
  EXPECT_THAT(nobody->Log(), HasSubstr("neither a token nor a credential helper"));
}

TEST_F(RemoteHttp, IsNotBelievedWithoutACertificateThatSomebodyKnownVouchesFor) {
  std::filesystem::create_directories(temp().path() / "a");
  const Outcome unknown = Concordfs({"mount", temp().path() / "a.git", temp().path() / "a", "--remote", Https(), "--remote-token-file", token_file()},
                                    "/", {{"GIT_SSL_CAINFO", apache().strange_authority()}});
  EXPECT_EQ(unknown.status, 1);
  EXPECT_THAT(unknown.err, HasSubstr("certificate"));
  Member("a")->Unmount();
  // The repository's own configuration says whom to believe; and when it does, nobody need mount again.
  const auto configure = [this](const std::string& file) {
    ASSERT_EQ(Git(temp().path() / "a.git", {"config", "http." + apache().Https("") + ".sslCAInfo", file}).status, 0);
  };
  configure(apache().strange_authority());
  const auto machine = HttpMachine("a", Https(), {"--remote-token-file", token_file(), "--fetch-period", "3600"}, {});
  EXPECT_EQ(State(*machine), "no access");
  EXPECT_EQ(Write("andrew", machine->path() / "f", "1\n"), "EACCES");
  EXPECT_THAT(RemoteStatus(*machine)["last_error"].get<std::string>(), HasSubstr("certificate"));
  configure(apache().authority());
  EXPECT_EQ(Write("andrew", machine->path() / "f", "2\n"), "ok");
  EXPECT_EQ(origin().Show("f"), "2\n");
}

TEST_F(RemoteHttp, ThatIsKilledIsUnreachableAndWritingAgainPublishes) {
  const auto machine = Member("a", {"--remote-timeout", "0.5", "--fetch-period", "0.1"});
  ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n"), "ok");
  apache().Kill9();
  EXPECT_EQ(Write("andrew", machine->path() / "f", "2\n"), "EHOSTUNREACH");
  EXPECT_EQ(RunAs("benson", "cat f", machine->path()).out, "1\n") << "reads go on from what is known";
  EXPECT_EQ(State(*machine), "unreachable");
  apache().Start();
  EXPECT_TRUE(Eventually([&] { return State(*machine) == "up to date"; }));
  ASSERT_EQ(Write("andrew", machine->path() / "f", "3\n"), "ok");
  EXPECT_EQ(origin().Show("f"), "3\n");
  ExpectAllSound({machine.get()});
}

TEST_F(RemoteHttp, ThatDeclinesIsHeardInItsWords) {
  const auto machine = Member("a");
  InstallSharedHook("update", "echo 'not on a Sunday' >&2; exit 1\n");
  EXPECT_EQ(Write("andrew", machine->path() / "f", "1\n"), "EACCES");
  EXPECT_THAT(machine->Log(), HasSubstr("not on a Sunday"));
  EXPECT_EQ(State(*machine), "declined");
  std::filesystem::remove(origin().path() / "hooks/update");
  EXPECT_EQ(Write("andrew", machine->path() / "f", "2\n"), "ok");
}

TEST_F(RemoteHttp, ThatIsNoRepositoryIsNoAccess) {
  std::filesystem::create_directories(temp().path() / "a");
  const Outcome none = Concordfs({"mount", temp().path() / "a.git", temp().path() / "a", "--remote", apache().Https("git/nothing.git", kUser),
                                  "--remote-token-file", token_file()}, "/", Trusting());
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, HasSubstr("no such repository"));
}

TEST_F(RemoteHttp, TakesLargeFiles) {
  const auto machine = Member("a");
  const Outcome done = RunAs("andrew", "head -c 10000000 /dev/urandom > big && cksum < big", machine->path());
  ASSERT_EQ(done.status, 0) << done;
  EXPECT_EQ(RunAs("", "git show main:big | cksum", origin().path()).out, done.out);
  const auto other = Member("b");
  EXPECT_EQ(RunAs("benson", "cksum < big", other->path()).out, done.out);
  ExpectAllSound({machine.get(), other.get()});
}

TEST_F(RemoteHttp, ThatAsksWhoWeAreOnlyWhenItGetsAPushIsTold) {
  WriteFile(temp().path() / "gitconfig", "[credential]\n\thelper = \"!f() { test $1 = get && echo username=" + std::string(kUser) + " && echo password=" +
                                             kPassword + "; }; f\"\n");
  const auto machine = HttpMachine("a", apache().Http("public/origin.git"), {}, {{"GIT_CONFIG_GLOBAL", temp().path() / "gitconfig"}});
  const Outcome done = RunAs("andrew", "head -c 3000000 /dev/urandom > big && cksum < big", machine->path());
  ASSERT_EQ(done.status, 0) << done;
  EXPECT_EQ(RunAs("", "git show main:big | cksum", origin().path()).out, done.out);
  EXPECT_TRUE(Eventually([&] {
    return ::testing::Value(apache().Requests(), Contains(StartsWith("POST /public/origin.git/git-receive-pack 401")));
  }));
  machine->Unmount();
  WriteFile(temp().path() / "gitconfig", "");
  machine->Remount();
  EXPECT_EQ(State(*machine), "up to date") << "who only reads is let in";
  EXPECT_EQ(Write("andrew", machine->path() / "f", "1\n"), "EACCES");
  ExpectNoSecretIn(*machine, kPassword);
}

TEST_F(RemoteHttp, IsFollowedWhereItMoved) {
  const auto machine = HttpMachine("a", apache().Https("moved/origin.git", kUser), {"--remote-token-file", token_file()}, Trusting());
  ASSERT_EQ(Write("andrew", machine->path() / "f", "1\n"), "ok");
  EXPECT_EQ(origin().Show("f"), "1\n");
}

}  // namespace
}  // namespace concordfs::mounttest
