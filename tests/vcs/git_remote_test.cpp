// A remote on this machine: git itself on a path, and behind its own server on loopback.
#include "vcs/git/git_remote.h"

#include "tests/vcs/git_repo.h"
#include "vcs/remote_store.h"

namespace concordfs::vcs::git {
namespace {

using ::testing::HasSubstr;

class GitRemote : public ::testing::Test {
 protected:
  GitRemote() {
    EXPECT_EQ(Shell("git init -q --bare -b main " + server_.string()).status, 0);
    Connect(server_.string());
    ASSERT_TRUE_(repo_.Commit("0", "first").ok());
  }
  static void ASSERT_TRUE_(bool ok) {
    if (!ok) throw std::runtime_error("no commit");
  }

  void Connect(const std::string& url, std::chrono::milliseconds silence = std::chrono::seconds(20)) {
    auto parsed = ParseRemoteUrl(url);
    if (!parsed) throw std::runtime_error(parsed.error().message);
    GitRemoteOptions options;
    options.url = *parsed;
    options.ref = kMain;
    options.git_dir = repo_.path();
    options.connect.silence = silence;
    remote_ = MakeGitRemote(repo_.store(), options);
  }
  // A publication as the committer makes them: with its objects, and with a blob that was stored before.
  Publication Change(const std::string& content) {
    const auto blob = repo_.store().AddBlob(content);
    Publication publication = repo_.CommitOf(*blob, repo_.Head(), "change");
    publication.stored = {StoredBlob{*blob, std::nullopt}};
    return publication;
  }
  Publication AllOfMain(const std::optional<ObjectId>& expected = {}) {
    Publication publication;
    publication.ref = kMain;
    publication.expected = expected;
    publication.tip = repo_.Head();
    return publication;
  }
  Outcome Server(const std::string& arguments) { return Shell("git -C " + server_.string() + " " + arguments); }
  std::string ServerHead() { return Server("rev-parse refs/heads/main").output.substr(0, ObjectId::kHexSize); }
  // Somebody else pushes to the server.
  ObjectId CommitElsewhere(const std::string& content) {
    const auto clone = folder_.path() / "clone";
    const Outcome done = Shell("rm -rf " + clone.string() + "; git clone -q " + server_.string() + " " + clone.string() + " && cd " +
                               clone.string() + " && echo '" + content +
                               "' > elsewhere && git add . && git -c user.name=o -c user.email=o@o commit -qm x && git push -q");
    EXPECT_EQ(done.status, 0) << done.output;
    return *ObjectId::FromHex(ServerHead());
  }
  void InstallHook(const std::string& name, const std::string& script) {
    WriteFile(server_ / "hooks" / name, "#!/bin/sh\n" + script);
    ::chmod((server_ / "hooks" / name).c_str(), 0755);
  }
  void ExpectServerIsSound() {
    const Outcome fsck = Server("fsck --strict --full --no-dangling");
    EXPECT_EQ(fsck.status, 0) << fsck.output;
    EXPECT_THAT(fsck.output, ::testing::Not(HasSubstr("missing")));
  }

  TempDir folder_;
  const stdfs::path server_ = folder_.path() / "server.git";
  Repo repo_{folder_.path() / "repo"};
  std::unique_ptr<Remote> remote_;
};

TEST_F(GitRemote, HasNoBranchAtFirstAndGetsIt) {
  const auto nothing = remote_->Fetch({});
  ASSERT_OK(nothing);
  EXPECT_EQ(*nothing, std::nullopt);
  ASSERT_OK(remote_->Push(AllOfMain()));
  EXPECT_EQ(ServerHead(), repo_.Head().Hex());
  ExpectServerIsSound();
}

TEST_F(GitRemote, GetsExactlyThePublication) {
  ASSERT_OK(remote_->Push(AllOfMain()));
  const Publication change = Change("1");
  ASSERT_OK(repo_.store().Publish(change));
  ASSERT_OK(remote_->Push(change));
  EXPECT_EQ(ServerHead(), change.tip.Hex());
  EXPECT_EQ(Server("show main:f").output, "1");
  ExpectServerIsSound();
}

TEST_F(GitRemote, GetsALargeBlobWithoutHoldingItInMemory) {
  ASSERT_OK(remote_->Push(AllOfMain()));
  const Publication change = Change(RandomBytes(5 << 20));
  ASSERT_OK(repo_.store().Publish(change));
  ASSERT_OK(remote_->Push(change));
  EXPECT_EQ(Server("cat-file -s main:f").output, std::to_string(5 << 20) + "\n");
  ExpectServerIsSound();
}

TEST_F(GitRemote, GetsDeltasOnWhatItHas) {
  const std::string text = RandomBytes(50'000);
  ASSERT_OK(repo_.Commit(text, "large"));
  ASSERT_OK(remote_->Push(AllOfMain()));
  const ObjectId before = repo_.store().Hash(ObjectKind::kBlob, text);
  Publication change = Change(text + "and a line");
  change.stored[0].like = before;
  ASSERT_OK(repo_.store().Publish(change));
  ASSERT_OK(remote_->Push(change));
  EXPECT_EQ(Server("cat-file -s main:f").output, "50010\n");
  ExpectServerIsSound();
}

TEST_F(GitRemote, GetsMoreWhereItLacksMoreThanItShould) {
  ASSERT_OK(remote_->Push(AllOfMain()));
  Publication change = Change("a blob that nobody told of");
  change.stored.clear();
  ASSERT_OK(repo_.store().Publish(change));
  ASSERT_OK(remote_->Push(change));
  EXPECT_EQ(ServerHead(), change.tip.Hex());
  ExpectServerIsSound();
}

TEST_F(GitRemote, IsAheadAndIsFetched) {
  ASSERT_OK(remote_->Push(AllOfMain()));
  const ObjectId known = repo_.Head();
  const Publication change = Change("1");
  const ObjectId winner = CommitElsewhere("theirs");
  EXPECT_CODE(remote_->Push(change), Code::kRefMoved);
  EXPECT_EQ(ServerHead(), winner.Hex());
  const auto fetched = remote_->Fetch({&known, 1});
  ASSERT_OK(fetched);
  EXPECT_EQ(*fetched, winner);
  const auto contains = repo_.store().Contains(winner, known);
  ASSERT_OK(contains);
  EXPECT_TRUE(*contains);
  EXPECT_EQ(repo_.Git("show " + winner.Hex() + ":elsewhere").output, "theirs\n");
}

TEST_F(GitRemote, FetchesNothingThatIsHere) {
  ASSERT_OK(remote_->Push(AllOfMain()));
  const ObjectId first = repo_.Head();
  ASSERT_OK(repo_.Commit("1", "second"));
  const ObjectId second = repo_.Head();
  const auto fetched = remote_->Fetch({&second, 1});
  ASSERT_OK(fetched);
  EXPECT_EQ(*fetched, first);
  EXPECT_FALSE(stdfs::exists(repo_.path() / "objects" / "pack") && !stdfs::is_empty(repo_.path() / "objects" / "pack"));
}

TEST_F(GitRemote, IsFetchedIntoARepositoryThatHasNothingOfIt) {
  ASSERT_OK(remote_->Push(AllOfMain()));
  const ObjectId tip = CommitElsewhere("theirs");
  const auto path = folder_.path() / "fresh";
  ASSERT_OK(InitEmptyRepository(path, "main"));
  auto fresh = OpenRepository(path, Durability::kProcess);
  ASSERT_OK(fresh);
  GitRemoteOptions options;
  options.url = *ParseRemoteUrl(server_.string());
  options.ref = kMain;
  options.git_dir = path;
  const auto remote = MakeGitRemote(*fresh->store, options);
  const auto fetched = remote->Fetch({});
  ASSERT_OK(fetched);
  EXPECT_EQ(*fetched, tip);
  EXPECT_EQ(Shell("git -C " + path.string() + " show " + tip.Hex() + ":elsewhere").output, "theirs\n");
  EXPECT_TRUE(stdfs::is_empty(path / "objects" / "info"));
  for (const auto& entry : stdfs::directory_iterator(path / "objects")) {
    EXPECT_THAT(entry.path().filename().string(), ::testing::Not(::testing::StartsWith("tmp_")));
  }
}

TEST_F(GitRemote, DeclinesInItsOwnWords) {
  ASSERT_OK(remote_->Push(AllOfMain()));
  const std::string before = ServerHead();
  InstallHook("pre-receive", "echo 'not on a Sunday' >&2; exit 1\n");
  const Publication change = Change("1");
  ASSERT_OK(repo_.store().Publish(change));
  const auto pushed = remote_->Push(change);
  EXPECT_CODE(pushed, Code::kDeclined);
  EXPECT_THAT(pushed.error().message, HasSubstr("not on a Sunday"));
  EXPECT_EQ(ServerHead(), before);
}

TEST_F(GitRemote, LosesASwapThatAnotherPushWinsAtTheLastInstant) {
  ASSERT_OK(remote_->Push(AllOfMain()));
  const std::string first = ServerHead();
  ASSERT_OK(repo_.Commit("the winner's", "winner"));
  const ObjectId winner = repo_.Head();
  // When the hook runs, the server has compared nothing yet, and has told us where its branch was.
  ASSERT_EQ(repo_.Git("push -q " + server_.string() + " " + winner.Hex() + ":refs/heads/other").status, 0);
  InstallHook("update", "test \"$1\" != refs/heads/main && exit 0; unset GIT_QUARANTINE_PATH; git update-ref refs/heads/main " + winner.Hex() + "\n");
  ASSERT_EQ(repo_.Git("update-ref refs/heads/main " + first).status, 0);
  const Publication change = Change("1");
  ASSERT_OK(repo_.store().Publish(change));
  EXPECT_CODE(remote_->Push(change), Code::kRefMoved);
  EXPECT_EQ(ServerHead(), winner.Hex());
}

// From the second push on the next one is begun beforehand, and has heard where the branch was then.
TEST_F(GitRemote, IsPushedToAgainAndAgainAndRefusesWhatIsBehind) {
  ASSERT_OK(remote_->Push(AllOfMain()));
  const auto push_next = [&](const std::string& content) {
    const Publication change = Change(content);
    EXPECT_TRUE(repo_.store().Publish(change).ok());
    return remote_->Push(change);
  };
  for (const char* content : {"1", "2", "3"}) ASSERT_OK(push_next(content));
  const ObjectId ours = repo_.Head();
  EXPECT_EQ(ServerHead(), ours.Hex());
  const ObjectId theirs = CommitElsewhere("theirs");
  EXPECT_CODE(push_next("4"), Code::kRefMoved);
  EXPECT_EQ(ServerHead(), theirs.Hex());
  const auto fetched = remote_->Fetch({&ours, 1});
  ASSERT_OK(fetched);
  ASSERT_EQ(repo_.Git("update-ref refs/heads/main " + theirs.Hex()).status, 0);
  for (const char* content : {"5", "6"}) ASSERT_OK(push_next(content));
  EXPECT_EQ(ServerHead(), repo_.Head().Hex());
  ExpectServerIsSound();
}

TEST_F(GitRemote, NamesTheLockThatADeadServerLeft) {
  ASSERT_OK(remote_->Push(AllOfMain()));
  WriteFile(server_ / "HEAD.lock", "");
  const Publication change = Change("1");
  ASSERT_OK(repo_.store().Publish(change));
  const auto pushed = remote_->Push(change);
  EXPECT_CODE(pushed, Code::kRefMoved);
  EXPECT_THAT(pushed.error().message, HasSubstr("HEAD.lock"));
}

TEST_F(GitRemote, IsNotThere) {
  Connect((folder_.path() / "nowhere").string());
  EXPECT_CODE(remote_->Fetch({}), Code::kAccess);
  EXPECT_CODE(remote_->Push(AllOfMain()), Code::kAccess);
  Connect("git://127.0.0.1:1/x.git");
  EXPECT_CODE(remote_->Fetch({}), Code::kUnreachable);
}

TEST(RemoteUrl, IsShownWithoutWhoWeAre) {
  EXPECT_EQ(ParseRemoteUrl("ssh://benson@host:2222/srv/x.git")->Shown(), "ssh://host:2222/srv/x.git");
  EXPECT_EQ(ParseRemoteUrl("benson@host:x.git")->Shown(), "ssh://host/x.git");
  EXPECT_EQ(ParseRemoteUrl("git://[::1]:9419/x.git")->Shown(), "git://[::1]:9419/x.git");
  EXPECT_EQ(ParseRemoteUrl("/srv/a:b.git")->Shown(), "/srv/a:b.git");
  EXPECT_EQ(ParseRemoteUrl("file:///srv/x.git")->path, "/srv/x.git");
  EXPECT_EQ(ParseRemoteUrl("ssh://host/~/x.git")->path, "~/x.git");
  EXPECT_EQ(ParseRemoteUrl("https://benson@host/x.git")->Shown(), "https://host/x.git");
  EXPECT_EQ(ParseRemoteUrl("https://ben%40son@host/x.git")->user, "ben@son");
  EXPECT_EQ(ParseRemoteUrl("http://[::1]:8080/a/b/")->Shown(), "http://[::1]:8080/a/b/");
}

TEST(RemoteUrl, HasNoPasswordAndNoOptionForSsh) {
  for (const char* bad : {"ssh://benson:secret@host/x", "ssh://-oProxyCommand=x/y", "-oProxyCommand=x:y", "ext::sh -c x", "ftp://h/x",
                          "ssh://host", "git:///x", "ssh://-l@host/x", "https://benson:secret@h/x", "https://:secret@h/x", "https://benson%3asecret@h/x",
                          "https://benson:1/secret@h/x", "https://h/x?private_token=secret", "https://h", "https:///x", "https://h/x y",
                          "https://ben%zz@h/x", "https://ben%0ason@h/x", "https://ben%4@h/x"}) {
    const auto parsed = ParseRemoteUrl(bad);
    EXPECT_CODE(parsed, Code::kInvalidArgument);
    EXPECT_THAT(parsed.error().message, ::testing::Not(HasSubstr("secret")));
  }
}

TEST_F(GitRemote, GetsOtherRefsWithWhatTheyNeedAndKeepsWhatItHas) {
  ASSERT_OK(remote_->Push(AllOfMain()));
  const Publication parked = Change("parked");
  Publication kept = parked;
  kept.ref = "refs/concordfs/rejected/andrew/1";
  kept.expected.reset();
  ASSERT_OK(repo_.store().Publish(kept));
  GitRemoteOptions options;
  options.url = *ParseRemoteUrl(server_.string());
  options.git_dir = repo_.path();
  options.connect.silence = std::chrono::seconds(20);
  const auto refs = MakeGitRemoteRefs(repo_.store(), options);
  ASSERT_OK(refs->Create({kept.ref, kept.tip}));
  ASSERT_OK(refs->Create({kept.ref, kept.tip}));  // again: it is so already
  const auto listed = refs->List("refs/concordfs/rejected/");
  ASSERT_OK(listed);
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ((*listed)[0].name, kept.ref);
  EXPECT_EQ((*listed)[0].target, kept.tip);
  EXPECT_CODE(refs->Create({kept.ref, repo_.Head()}), Code::kExists);
  EXPECT_EQ(Server("show " + kept.ref + ":f").output, "parked");
  EXPECT_EQ(ServerHead(), repo_.Head().Hex());
  InstallHook("update", "case $1 in refs/heads/*) exit 0;; esac; echo 'branches only' >&2; exit 1\n");
  const auto declined = refs->Create({"refs/concordfs/rejected/andrew/2", kept.tip});
  EXPECT_CODE(declined, Code::kDeclined);
  EXPECT_THAT(declined.error().message, HasSubstr("branches only"));
  ExpectServerIsSound();
}

}  // namespace
}  // namespace concordfs::vcs::git
