#include "vcs/commit.h"

#include <gtest/gtest.h>

namespace concordfs::vcs {
namespace {

const std::string kTreeHex(40, '1');
const std::string kParentHex(40, '2');
const std::string kOtherParentHex(40, '3');

TEST(Commit, IsEncodedAsGitWritesIt) {
  Commit commit;
  commit.tree = *ObjectId::FromHex(kTreeHex);
  commit.parents = {*ObjectId::FromHex(kParentHex)};
  commit.author = AgentSignature("andrew", 1700000000);
  commit.committer = CommitterSignature(1700000001);
  commit.message = "Update a\n";
  EXPECT_EQ(commit.Encode(), "tree " + kTreeHex + "\nparent " + kParentHex +
                                 "\nauthor andrew <andrew@concordfs> 1700000000 +0000\n"
                                 "committer ConcordFS <concordfs@localhost> 1700000001 +0000\n\nUpdate a\n");
}

TEST(Commit, IsReadBackAsItWasEncoded) {
  for (const std::size_t parents : {0, 1, 2}) {
    Commit commit;
    commit.tree = *ObjectId::FromHex(kTreeHex);
    if (parents > 0) commit.parents.push_back(*ObjectId::FromHex(kParentHex));
    if (parents > 1) commit.parents.push_back(*ObjectId::FromHex(kOtherParentHex));
    commit.author = AgentSignature("a", 5);
    commit.committer = CommitterSignature(6);
    commit.message = "One\n\nparent of no commit\ntree of none\n\nConcord-Agent: a\n";
    const auto read = Commit::Parse(commit.Encode());
    ASSERT_TRUE(read);
    EXPECT_EQ(read->tree, commit.tree);
    EXPECT_EQ(read->parents, commit.parents);
    EXPECT_EQ(read->author.name, "a");
    EXPECT_EQ(read->author.email, "a@concordfs");
    EXPECT_EQ(read->author.time_s, 5);
    EXPECT_EQ(read->committer.time_s, 6);
    EXPECT_EQ(read->message, commit.message);
    EXPECT_EQ(read->Encode(), commit.Encode());
  }
}

TEST(Commit, PassesOverHeadersThatItDoesNotKnow) {
  const auto commit =
      Commit::Parse("tree " + kTreeHex + "\nparent " + kParentHex +
                    "\nauthor A U Thor <a@b> 12 +0200\ncommitter C <c@d> 13 -0730\n"
                    "encoding ISO-8859-1\ngpgsig -----BEGIN PGP SIGNATURE-----\n tree of the signature\n"
                    " \n parent of nothing\n -----END PGP SIGNATURE-----\n\nSubject\n");
  ASSERT_TRUE(commit) << commit.error().message;
  EXPECT_EQ(commit->tree.Hex(), kTreeHex);
  ASSERT_EQ(commit->parents.size(), 1U);
  EXPECT_EQ(commit->author.name, "A U Thor");
  EXPECT_EQ(commit->author.time_s, 12);
  EXPECT_EQ(commit->committer.email, "c@d");
  EXPECT_EQ(commit->message, "Subject\n");
}

TEST(Commit, LivesWithSignaturesThatNobodyCanRead) {
  for (const std::string signature : {"", "nobody", "<", ">", "><", "a <b", "a b>", "<>", "a <b>", "a <b> x", "<a> 7",
                                      "a <b> 99999999999999999999 +0000"}) {
    const auto commit =
        Commit::Parse("tree " + kTreeHex + "\nauthor " + signature + "\ncommitter " + signature + "\n\nx");
    ASSERT_TRUE(commit) << signature;
    EXPECT_EQ(commit->message, "x") << signature;
  }
}

TEST(Commit, IsCorruptWithoutATreeOrWithABadId) {
  const std::string texts[] = {"",
                               "\n\nmessage",
                               "tree\n\n",
                               "tree " + kTreeHex.substr(1) + "\n\n",
                               "tree " + kTreeHex + "0\n\n",
                               "parent " + kParentHex + "\n\n",
                               "tree " + kTreeHex + "\nparent x\n\nmessage",
                               "message that starts at once"};
  for (const std::string& text : texts) {
    const auto commit = Commit::Parse(text);
    ASSERT_FALSE(commit) << text;
    EXPECT_EQ(commit.code(), Code::kCorrupt) << text;
  }
}

TEST(Commit, MayEndBeforeItsMessage) {
  for (const std::string& text : {"tree " + kTreeHex, "tree " + kTreeHex + "\n", "tree " + kTreeHex + "\n\n"}) {
    const auto commit = Commit::Parse(text);
    ASSERT_TRUE(commit) << text;
    EXPECT_EQ(commit->message, "");
  }
}

struct MessageCase {
  const char* name;
  std::string custom;
  std::string message;
};

class CommitMessage : public ::testing::TestWithParam<MessageCase> {};

TEST_P(CommitMessage, IsComposedAsR14Says) {
  EXPECT_EQ(ComposeMessage("Update a", GetParam().custom, {{"Concord-Agent", "x"}}), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    , CommitMessage,
    ::testing::Values(MessageCase{"SubjectAlone", "", "Update a\n\nConcord-Agent: x\n"},
                      MessageCase{"OnlyBlanksAreNoMessage", " \n\t\n", "Update a\n\nConcord-Agent: x\n"},
                      MessageCase{"OneLineOfTheAgent", "Fix the tests", "Fix the tests\n\nConcord-Agent: x\n"},
                      MessageCase{"OneLineWithNewlinesAround", "\n\nFix\n\n", "Fix\n\nConcord-Agent: x\n"},
                      MessageCase{"BodyAfterOneNewline", "Fix\nbecause", "Fix\n\nbecause\n\nConcord-Agent: x\n"},
                      MessageCase{"BodyAfterAnEmptyLine", "Fix\n\nbecause\n\nof this",
                                  "Fix\n\nbecause\n\nof this\n\nConcord-Agent: x\n"}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(CommitTrailers, AreFoundByName) {
  const std::string message = ComposeMessage("Update a", "", {{"Concord-Agent", "x"}, {"Concord-Base", "absent"}});
  EXPECT_EQ(FindTrailer(message, "Concord-Agent"), "x");
  EXPECT_EQ(FindTrailer(message, "Concord-Base"), "absent");
  EXPECT_EQ(FindTrailer(message, "Concord"), "");
  EXPECT_EQ(FindTrailer(message, "concord-agent"), "");
  EXPECT_EQ(FindTrailer("", "Concord-Agent"), "");
}

TEST(CommitTrailers, AreNotTakenFromTheAgentsOwnWords) {
  const std::string message = ComposeMessage("Update a", "Concord-Agent: liar\n\nConcord-Agent: liar\nConcord-Path: b",
                                             {{"Concord-Agent", "x"}});
  EXPECT_EQ(FindTrailer(message, "Concord-Agent"), "x");
  EXPECT_EQ(FindTrailer(message, "Concord-Path"), "");
}

TEST(CommitTrailers, StayOnOneLineEach) {
  const std::string message =
      ComposeMessage("s", "", {{"Concord-Process", "1 a\nConcord-Agent: y\t\x01z"}, {"Last", "l"}});
  EXPECT_EQ(message, "s\n\nConcord-Process: 1 a Concord-Agent: y  z\nLast: l\n");
  EXPECT_EQ(FindTrailer(message, "Concord-Agent"), "");
}

TEST(CommitTrailers, KeepBlanksWithinTheirValue) {
  const std::string message = ComposeMessage("s", "", {{"Concord-Path", "  a b "}, {"Empty", ""}, {"Last", "l"}});
  EXPECT_EQ(FindTrailer(message, "Concord-Path"), "  a b ");
  EXPECT_EQ(FindTrailer(message, "Empty"), "");
}

}  // namespace
}  // namespace concordfs::vcs
