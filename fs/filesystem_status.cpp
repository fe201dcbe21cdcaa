// What `concordfs status` shows.
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>

#include "fs/filesystem_impl.h"

namespace concordfs::fs {
namespace {

// What the kernel can carry as one attribute is 64 KiB.
constexpr std::size_t kMaxStatus = 60 << 10;  // bytes

nlohmann::json ToJson(const WorkingCopy& copy) {
  return {{"path", vcs::Quoted(Namespace::LastPathOf(*copy.file).text())},
          {"base", vcs::ToString(copy.origin.version)},
          {"base_commit", copy.origin.commit.Hex()},
          {"stale", copy.stale},
          {"dirty", copy.IsChanged()},
          {"size", copy.content->Size()},
          {"handles", copy.handles}};
}

nlohmann::json ToJson(const vcs::ParkedPushStatus& parked) {
  return {{"pushed", parked.pushed},
          {"waiting", parked.waiting},
          {"declined", parked.declined},
          {"last_error", vcs::Quoted(parked.last_error)}};
}

nlohmann::json ToJson(const vcs::RemoteStatus& remote, const std::string& url) {
  const auto now = static_cast<std::int64_t>(Now().tv_sec);
  nlohmann::json json = {{"url", url},
          {"state", vcs::ConditionName(remote.condition)},
          {"since", remote.since_s},
          {"lag", remote.answered_s == 0 ? nlohmann::json() : nlohmann::json(std::max<std::int64_t>(0, now - remote.answered_s))},
          {"tip", remote.tip ? nlohmann::json(remote.tip->Hex()) : nlohmann::json()},
          {"pushes", remote.pushes},
          {"refused", remote.refused},
          {"fetches", remote.fetches},
          {"failures", remote.failures},
          {"last_push_ms", remote.last_push.count()},
          {"last_error", vcs::Quoted(remote.last_error)},
          {"push", remote.backlog ? "async" : "sync"}};
  if (remote.backlog) {
    json["waiting"] = remote.backlog->waiting;
    json["oldest"] = remote.backlog->oldest_s == 0 ? nlohmann::json() : nlohmann::json(std::max<std::int64_t>(0, now - remote.backlog->oldest_s));
    json["lost"] = remote.backlog->lost;
  }
  return json;
}

// `untold`: losses that agents have still to hear of.
nlohmann::json RemoteJson(const FilesystemOptions& options, std::size_t untold) {
  nlohmann::json json = ToJson(options.remote->status(), options.remote_url);
  json["lost_untold"] = untold;
  if (options.parked_push != nullptr) json["rejected"] = ToJson(options.parked_push->status());
  return json;
}

}  // namespace

std::string FilesystemImpl::Status() {
  const vcs::CommitterCounters counters = committer_.counters();
  const MutexLock lock(mutex_);
  std::uint64_t refusals = 0;
  for (const auto& [agent, count] : refusals_) refusals += count;
  nlohmann::json status = {{"repository", options_.git_dir.string()},
                           {"branch", options_.ref},
                           {"mountpoint", options_.mountpoint},
                           {"pid", getpid()},
                           {"head", head_.commit.Hex()},
                           {"read_only", options_.read_only},
                           {"durability", options_.durability},
                           {"truncated", false},
                           {"agents", nlohmann::json::array()}};
  status["counters"] = {{"commits", counters.commits},       {"unchanged", counters.unchanged},
                        {"refusals", refusals},              {"parked", parked_},
                        {"failures", counters.failures},     {"lost_swaps", counters.lost_swaps},
                        {"batches", counters.batches},       {"outside_moves", counters.outside_moves},
                        {"queue_depth", counters.queue_depth}, {"nodes", names_.NodeCount()},
                        {"open_files", handles_.size()}};

  const ScratchFiles::Counters scratch = scratch_files_.counters();
  status["scratch"] = {{"passthrough", passthrough_.load()}, {"nodes", scratch.nodes},   {"open_files", scratch.open_files},
                       {"read_requests", scratch.reads},     {"write_requests", scratch.writes}};

  if (const auto upkeep = store_.upkeep()) {
    status["maintenance"] = {{"packs", upkeep->packs},   {"pending", upkeep->pending},   {"rolls", upkeep->rolls},
                             {"merges", upkeep->merges}, {"failures", upkeep->failures}, {"last_failure", upkeep->last_failure}};
  }

  if (options_.remote != nullptr) status["remote"] = RemoteJson(options_, losses_.untold());

  status["requests"] = request_counts_ ? request_counts_() : RequestCounts();

  std::set<std::shared_ptr<WorkingCopy>> copies(orphans_.begin(), orphans_.end());
  for (const auto& copy : names_.Copies()) copies.insert(copy);
  for (const auto& [id, handle] : handles_) {
    if (handle->copy && !handle->copy->discarded) copies.insert(handle->copy);
    if (handle->refused) copies.insert(handle->refused);
  }
  std::map<std::string, nlohmann::json> agents;
  const auto agent_of = [&](const std::string& name) -> nlohmann::json& {
    auto [at, added] = agents.try_emplace(name);
    if (added) at->second = {{"name", name}, {"known_paths", 0}, {"refusals", 0}, {"working_copies", nlohmann::json::array()}};
    return at->second;
  };
  for (const auto& [agent, count] : tracker_.KnownPaths()) agent_of(agent)["known_paths"] = count;
  for (const auto& [agent, count] : refusals_) agent_of(agent)["refusals"] = count;
  std::size_t size = status.dump().size();
  for (const auto& copy : copies) {
    nlohmann::json json = ToJson(*copy);
    size += json.dump().size() + copy->agent.size() + 64;
    if (size > kMaxStatus) {
      status["truncated"] = true;
      break;
    }
    agent_of(copy->agent)["working_copies"].push_back(std::move(json));
  }
  for (auto& [name, json] : agents) {
    size += name.size() + 80;
    if (size > kMaxStatus) {
      status["truncated"] = true;
      break;
    }
    status["agents"].push_back(std::move(json));
  }
  return status.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace concordfs::fs
