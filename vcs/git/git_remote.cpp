#include "vcs/git/git_remote.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "vcs/git/conversation.h"
#include "vcs/git/http_connection.h"
#include "vcs/git/incoming_pack.h"
#include "vcs/git/pkt_line.h"
#include "vcs/git/publication_pack.h"
#include "vcs/git/spare_conversation.h"

namespace concordfs::vcs::git {
namespace {

constexpr char kAgent[] = "agent=concordfs";
// A server whose hook runs says something now and then; for so many times the longest silence at most it is waited for.
constexpr int kMostSilences = 10;

// Pushes that follow each other so soon find the next one begun already; and so long a server is kept waiting for it.
constexpr std::chrono::seconds kSpareFor{1};

// What receive-pack says of a ref that isn't where the push wanted it, or that another push has just locked. Everything else is
// the remote's own rule.
bool IsRace(std::string_view reason) {
  for (const char* sign : {"failed to update ref", "failed to lock", "cannot lock ref", "fetch first", "stale info", "non-fast-forward",
                           "incorrect old value", "already exists", "failed to push some refs"}) {
    if (reason.find(sign) != std::string_view::npos) return true;
  }
  return false;
}

// What git says of a pack that it didn't get all of: the way there was cut in one direction only.
bool IsCutShort(std::string_view words) {
  return words.find("early EOF") != std::string_view::npos || words.find("eof before pack header") != std::string_view::npos;
}

class GitRemote : public Remote {
 public:
  GitRemote(Store& store, GitRemoteOptions options) : store_(store), options_(std::move(options)) {
    options_.connect.git_dir = options_.git_dir;
    if (options_.url.IsHttp()) options_.connect.http = MakeHttpSession(options_.url, options_.connect);
  }

  Result<std::optional<ObjectId>> Fetch(std::span<const ObjectId> known) override;
  Result<void> Push(const Publication& publication) override;

 private:
  // Is all that `tip` reaches here already?
  bool HasAll(const ObjectId& tip, std::span<const ObjectId> known);
  Result<void> Receive(Conversation& conversation, const ObjectId& tip, std::span<const ObjectId> known);

  Result<Conversation> BeginPush() { return Begin(options_.url, Service::kReceivePack, options_.connect); }
  // One that was begun before, or a new one. Errors: also kRefMoved, which only a new one knows: what was begun before our last push
  // has heard of a branch that this one moved.
  Result<Conversation> NextPush(const std::optional<ObjectId>& expected);
  Result<void> Send(const Publication& publication, PackExtent extent);
  // Commits that the remote says it has, and that are here: for a ref that is new there.
  std::vector<ObjectId> CommonTips(const RefAdvertisement& advertisement);
  // What became of it, when all was sent: kInDoubt if that isn't heard.
  Result<void> ReadReport(Conversation& conversation);

  Store& store_;
  GitRemoteOptions options_;  // constant after construction
  std::chrono::steady_clock::time_point answered_{};  // the last push: it landed, or lost a race
  // Two take turns: each has the time of two pushes to begin.
  std::array<SpareConversation, 2> spares_{SpareConversation{[this] { return BeginPush(); }, kSpareFor},
                                           SpareConversation{[this] { return BeginPush(); }, kSpareFor}};
  std::size_t pushes_ = 0;
};

bool GitRemote::HasAll(const ObjectId& tip, std::span<const ObjectId> known) {
  if (!store_.Read(tip, ObjectKind::kCommit)) return false;
  for (const ObjectId& commit : known) {
    if (commit == tip) return true;
  }
  for (const ObjectId& commit : known) {
    const auto contains = store_.Contains(commit, tip);
    if (contains && *contains) return true;
  }
  return false;
}

Result<std::optional<ObjectId>> GitRemote::Fetch(std::span<const ObjectId> known) {
  auto conversation = Begin(options_.url, Service::kUploadPack, options_.connect);
  if (!conversation) return conversation.error();
  const std::optional<ObjectId> tip = conversation->advertisement.Find(options_.ref);
  if (!tip || HasAll(*tip, known)) {
    conversation->Leave();
    return tip;
  }
  if (auto received = Receive(*conversation, *tip, known); !received) return received.error();
  return tip;
}

// Source: gitprotocol-pack(5), "Packfile Negotiation": in one go, without multi_ack, which is answered by one line.
Result<void> GitRemote::Receive(Conversation& conversation, const ObjectId& tip, std::span<const ObjectId> known) {
  std::string request = EncodePacket("want " + tip.Hex() + " side-band-64k thin-pack ofs-delta " + kAgent + "\n");
  request += kFlushPacket;
  for (const ObjectId& commit : known) request += EncodePacket("have " + commit.Hex() + "\n");
  request += EncodePacket("done\n");
  if (!conversation.advertisement.Can("side-band-64k")) return Error{Code::kNotSupported, "the remote's git is too old: no side-band-64k"};
  if (auto asked = conversation.connection->Write(request); !asked) return asked;
  if (const auto answer = conversation.packets->NextLine(); !answer) return answer.error();

  auto pack = IncomingPack::Begin(options_.git_dir);
  if (!pack) return pack.error();
  SideBand band(*conversation.packets, options_.progress);
  for (;;) {
    const auto piece = band.Next();
    if (!piece) return piece.error();
    if (!*piece) break;
    if (auto appended = pack->Append(**piece); !appended) return appended;
  }
  if (auto finished = pack->Finish(options_.durable); !finished) return finished;
  if (options_.on_pack) options_.on_pack();
  return {};
}

Result<Conversation> GitRemote::NextPush(const std::optional<ObjectId>& expected) {
  SpareConversation& spare = spares_[pushes_++ % spares_.size()];
  auto begun = spare.Take();
  // By HTTP there is one connection, which is kept, and one conversation at a time on it.
  if (!options_.url.IsHttp() && std::chrono::steady_clock::now() - answered_ < kSpareFor) spare.Prepare();
  if (begun) return *std::move(begun);
  auto fresh = BeginPush();
  if (!fresh || fresh->advertisement.Find(options_.ref) == expected) return fresh;
  fresh->Leave();
  return Error{Code::kRefMoved, options_.ref + ": the remote is ahead"};
}

Result<void> GitRemote::Push(const Publication& publication) {
  auto sent = Send(publication, publication.objects.empty() ? PackExtent::kByHistory : PackExtent::kPublication);
  // A remote that lacks more than it should (its own objects were pruned, a blob of ours came another way) says that the pack is
  // not enough: then it gets all that it can lack.
  if (!sent && sent.code() == Code::kCorrupt) sent = Send(publication, PackExtent::kByHistory);
  if (!sent && sent.code() == Code::kCorrupt) return Error{Code::kDeclined, sent.error().message};
  if (sent || sent.code() == Code::kRefMoved) answered_ = std::chrono::steady_clock::now();
  return sent;
}

std::vector<ObjectId> GitRemote::CommonTips(const RefAdvertisement& advertisement) {
  std::vector<ObjectId> tips;
  for (const auto& [name, id] : advertisement.refs) {
    if (store_.Read(id, ObjectKind::kCommit)) tips.push_back(id);
  }
  return tips;
}

Result<void> GitRemote::Send(const Publication& publication, PackExtent extent) {
  auto conversation = NextPush(publication.expected);
  if (!conversation) return conversation.error();
  const RefAdvertisement& advertisement = conversation->advertisement;
  if (!advertisement.Can("report-status") || !advertisement.Can("side-band-64k")) {
    conversation->Leave();
    return Error{Code::kNotSupported, "the remote's git is too old: no report-status or side-band-64k"};
  }
  // The old id is what the server compares with, under its lock of the ref: the swap is its own, and a push of a descendant.
  // Source: gitprotocol-pack(5), "Reference Update Request and Packfile Transfer".
  const std::string command = publication.expected.value_or(ObjectId()).Hex() + ' ' + publication.tip.Hex() + ' ' + options_.ref;
  const std::string request = EncodePacket(command + std::string(1, '\0') + " report-status side-band-64k " + kAgent);
  if (auto asked = conversation->connection->Write(request + std::string(kFlushPacket)); !asked) return asked;
  Result<void> cut;
  const std::vector<ObjectId> there = publication.expected ? std::vector<ObjectId>() : CommonTips(advertisement);
  const auto packed = WritePublicationPack(store_, options_.git_dir, publication, extent, there, [&](std::string_view bytes) {
    return cut = conversation->connection->Write(bytes);
  });
  // Without its end no server takes a pack: what failed here, in reading what is to be sent, did not happen.
  if (!packed && cut) return packed;
  if (auto ended = conversation->connection->EndRequest(); !ended) return ended;
  return ReadReport(*conversation);
}

Result<void> GitRemote::ReadReport(Conversation& conversation) {
  SideBand band(*conversation.packets, {});
  std::string report;
  auto end = std::chrono::steady_clock::now() + kMostSilences * options_.connect.silence;
  bool is_whole = false;  // what follows are the words of a hook that runs after the push
  for (;;) {
    auto piece = band.Next();
    if (is_whole && (!piece || std::chrono::steady_clock::now() > end)) break;
    if (!piece) return Error{Code::kInDoubt, piece.error().message};
    if (!*piece) break;
    if (std::chrono::steady_clock::now() > end) return Error{Code::kInDoubt, "the remote hasn't answered for too long"};
    report += **piece;
    is_whole = report.ends_with(kFlushPacket);
    if (is_whole) end = std::min(end, std::chrono::steady_clock::now() + options_.connect.silence);
  }
  // Packets within the band.
  std::string unpacked;
  std::optional<std::string> refused;
  bool is_done = false;
  for (const std::string& packet : DecodePackets(report)) {
    std::string_view line = packet;
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.starts_with("unpack ")) unpacked = Printable(line.substr(7));
    if (line == "ok " + options_.ref) is_done = true;
    if (line.starts_with("ng " + options_.ref + " ")) refused = Printable(line.substr(options_.ref.size() + 4));
  }
  if (is_done && unpacked == "ok") return {};
  const std::string words = band.said().empty() ? "" : " (" + band.said() + ")";
  if (refused && *refused == "missing necessary objects") return Error{Code::kCorrupt, "the remote lacks objects" + words};
  if (unpacked != "ok" && IsCutShort(unpacked + words)) return Error{Code::kUnreachable, "the remote didn't get all: " + unpacked + words};
  if (!unpacked.empty() && unpacked != "ok") return Error{Code::kCorrupt, "the remote can't take the pack: " + unpacked + words};
  if (!refused) return Error{Code::kInDoubt, "the remote doesn't say what became of the push"};
  if (IsRace(*refused)) return Error{Code::kRefMoved, options_.ref + ": " + *refused + words};
  return Error{Code::kDeclined, "the remote declines: " + *refused + words};
}

class GitRemoteRefs : public RemoteRefs {
 public:
  GitRemoteRefs(Store& store, GitRemoteOptions options) : store_(store), options_(std::move(options)) {}

  Result<std::vector<Ref>> List(std::string_view prefix) override {
    auto conversation = Begin(options_.url, Service::kUploadPack, options_.connect);
    if (!conversation) return conversation.error();
    conversation->Leave();
    std::vector<Ref> refs;
    for (const auto& [name, id] : conversation->advertisement.refs) {
      if (name.starts_with(prefix)) refs.push_back({name, id});
    }
    return refs;
  }

  Result<void> Create(const Ref& ref) override {
    GitRemoteOptions options = options_;
    options.ref = ref.name;
    Publication publication;
    publication.ref = ref.name;
    publication.tip = ref.target;
    auto made = GitRemote(store_, std::move(options)).Push(publication);
    if (made || made.code() != Code::kRefMoved) return made;
    const auto there = List(ref.name);
    if (!there) return there.error();
    for (const Ref& taken : *there) {
      if (taken.name != ref.name) continue;
      return taken.target == ref.target ? Result<void>() : Error{Code::kExists, "the remote has another change of this name"};
    }
    return Error{Code::kDeclined, made.error().message};  // its name can't be made there, or somebody makes it just now
  }

 private:
  Store& store_;
  const GitRemoteOptions options_;
};

}  // namespace

std::unique_ptr<RemoteRefs> MakeGitRemoteRefs(Store& store, GitRemoteOptions options) {
  return std::make_unique<GitRemoteRefs>(store, std::move(options));
}

std::unique_ptr<Remote> MakeGitRemote(Store& store, GitRemoteOptions options) {
  return std::make_unique<GitRemote>(store, std::move(options));
}

Result<RemoteRepository> LookAtRemote(const RemoteUrl& url, const ConnectOptions& options) {
  auto conversation = Begin(url, Service::kUploadPack, options);
  if (!conversation) return conversation.error();
  conversation->Leave();
  return RemoteRepository{conversation->advertisement.HeadTarget(), !conversation->advertisement.refs.empty()};
}

}  // namespace concordfs::vcs::git
