#include "tools/parked_change.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tools/text_table.h"
#include "vcs/repo_path.h"
#include "vcs/tree_reader.h"

namespace concordfs::tools {
namespace {

// As ISO 8601 has it, in UTC.
std::string TimeText(std::int64_t time_s) {
  const std::time_t time = time_s;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[40];
  return std::string(text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts));
}

}  // namespace

Result<std::vector<vcs::Parked>> ListParked(vcs::Store& store) {
  auto list = vcs::Parking::List(store, vcs::kRejectedPrefix);
  if (!list) return list;
  auto recovered = vcs::Parking::List(store, vcs::kRecoveredPrefix);
  if (!recovered) return recovered;
  std::move(recovered->begin(), recovered->end(), std::back_inserter(*list));
  std::stable_sort(list->begin(), list->end(),
                   [](const vcs::Parked& a, const vcs::Parked& b) { return a.time_s < b.time_s; });
  return list;
}

Result<vcs::MaybeVersion> ParkedVersion(vcs::Store& store, const vcs::Parked& parked) {
  const auto path = vcs::RepoPath::Parse(parked.path);
  if (!path) return path.error();
  vcs::TreeReader trees(store);
  const auto head = trees.ReadHead(parked.commit);
  if (!head) return head.error();
  const auto entry = trees.Find(head->root, *path);
  if (!entry) return entry.error();
  if (!*entry || (*entry)->IsDirectory()) return vcs::MaybeVersion();
  return vcs::MaybeVersion((*entry)->AsVersion());
}

const char* ParkedKind(const vcs::Parked& parked) {
  return parked.ref.starts_with(vcs::kRecoveredPrefix) ? "recovered" : "rejected";
}

std::string ParkedTable(const std::vector<vcs::Parked>& list) {
  if (list.empty()) return "Nothing is parked.\n";
  TextTable table({"ID", "KIND", "AGENT", "PATH", "WON BY", "TIME"});
  for (const vcs::Parked& parked : list) {
    table.AddRow({parked.id, ParkedKind(parked), parked.agent, vcs::Quoted(parked.path),
                  parked.winner.empty() ? "-" : vcs::Quoted(parked.winner), TimeText(parked.time_s)});
  }
  return table.Text();
}

std::string ParkedDescription(const vcs::Parked& parked, const vcs::MaybeVersion& mine) {
  const auto line = [](const char* name, const std::string& value) {
    return value.empty() ? std::string() : std::string(name) + value + '\n';
  };
  return line("id       ", parked.id) + line("kind     ", ParkedKind(parked)) + line("agent    ", parked.agent) +
         line("process  ", vcs::Quoted(parked.process)) + line("path     ", vcs::Quoted(parked.path)) +
         line("mine     ", vcs::ToString(mine)) + line("base     ", parked.base) + line("head     ", parked.head) +
         line("winner   ", vcs::Quoted(parked.winner)) + line("reason   ", vcs::Quoted(parked.reason)) +
         line("time     ", TimeText(parked.time_s)) + line("ref      ", parked.ref) +
         line("commit   ", parked.commit.Hex()) + line("parent   ", parked.parent.IsZero() ? "" : parked.parent.Hex());
}

nlohmann::json ParkedJson(const vcs::Parked& parked) {
  return {{"id", parked.id},
          {"kind", ParkedKind(parked)},
          {"ref", parked.ref},
          {"agent", parked.agent},
          {"path", parked.path},
          {"base", parked.base},
          {"head", parked.head},
          {"winner", parked.winner},
          {"reason", parked.reason},
          {"process", parked.process},
          {"commit", parked.commit.Hex()},
          {"parent", parked.parent.IsZero() ? nlohmann::json() : nlohmann::json(parked.parent.Hex())},
          {"time", TimeText(parked.time_s)},
          {"time_s", parked.time_s}};
}

std::string JsonText(const nlohmann::json& json) {
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + '\n';
}

}  // namespace concordfs::tools
