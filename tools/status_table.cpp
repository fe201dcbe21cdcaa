#include "tools/status_table.h"

#include <nlohmann/json.hpp>

#include "tools/text_table.h"
#include "vcs/repo_path.h"

namespace concordfs::tools {
namespace {

using nlohmann::json;

constexpr std::size_t kShortHexSize = 12;  // digits of an id that are shown

std::string Shown(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return "-";
  if (found->is_string()) return vcs::Quoted(found->get<std::string>());
  if (found->is_boolean()) return found->get<bool>() ? "yes" : "no";
  return found->dump();
}

// "100644 0123456789ab": a version is recognised by far fewer digits than it has.
std::string ShortVersion(const json& object, const char* name) {
  const std::string text = Shown(object, name);
  const std::size_t space = text.find(' ');
  return space == std::string::npos ? text : text.substr(0, space + 1 + kShortHexSize);
}

const json& List(const json& object, const char* name) {
  static const json empty = json::array();
  const auto found = object.find(name);
  return found != object.end() && found->is_array() ? *found : empty;
}

std::string Counters(const json& status) {
  static constexpr const char* kNames[] = {"commits", "unchanged",     "refusals",    "parked",  "lost_swaps",
                                           "batches", "outside_moves", "queue_depth", "failures"};
  const auto found = status.find("counters");
  if (found == status.end() || !found->is_object()) return "";
  std::string line;
  for (const char* name : kNames) {
    std::string title = name;
    for (char& c : title) c = c == '_' ? ' ' : c;
    line += (line.empty() ? "" : ", ") + title + ' ' + Shown(*found, name);
  }
  return line;
}

std::string Scratch(const json& status) {
  const auto found = status.find("scratch");
  if (found == status.end() || !found->is_object()) return "-";
  return std::string(found->value("passthrough", false) ? "read and written by the kernel" : "read and written by the daemon") +
         ", " + Shown(*found, "open_files") + " open, read requests " + Shown(*found, "read_requests") +
         ", write requests " + Shown(*found, "write_requests");
}

std::string MaintenanceLine(const json& status) {
  const auto found = status.find("maintenance");
  if (found == status.end() || !found->is_object()) return "none";
  std::string line = Shown(*found, "packs") + " packs, " + Shown(*found, "pending") + " loose objects to be packed";
  const std::string failure = found->value("last_failure", "");
  return failure.empty() ? line : line + "; failed " + Shown(*found, "failures") + " times, last: " + failure;
}

std::string RemoteLine(const json& status) {
  const auto found = status.find("remote");
  if (found == status.end() || !found->is_object()) return "";
  std::string line = "remote      " + Shown(*found, "url") + ": " + Shown(*found, "state") + ", answered " + Shown(*found, "lag") +
                     " s ago; " + Shown(*found, "pushes") + " pushes (the last took " + Shown(*found, "last_push_ms") + " ms), " +
                     Shown(*found, "refused") + " refused, " + Shown(*found, "fetches") + " fetches, " +
                     Shown(*found, "failures") + " failures\n";
  if (found->value("push", "") == "async") {
    line += "            push async: " + Shown(*found, "waiting") + " commits wait, the oldest for " + Shown(*found, "oldest") + " s; " +
            Shown(*found, "lost") + " lost, of which agents have to hear of " + Shown(*found, "lost_untold") + " paths\n";
  }
  if (const auto parked = found->find("rejected"); parked != found->end()) {
    line += "            parked work: " + Shown(*parked, "pushed") + " pushed, " + Shown(*parked, "waiting") + " wait, " +
            Shown(*parked, "declined") + " declined\n";
  }
  const std::string error = found->value("last_error", "");
  if (found->value("state", "") != "up to date" && !error.empty()) line += "            " + error + '\n';
  return line;
}

std::string WorkingCopies(const json& agent) {
  const json& copies = List(agent, "working_copies");
  if (copies.empty()) return "";
  TextTable table({"PATH", "BASE", "STALE", "DIRTY", "SIZE", "HANDLES"});
  for (const json& copy : copies) {
    table.AddRow({Shown(copy, "path"), ShortVersion(copy, "base"), Shown(copy, "stale"), Shown(copy, "dirty"),
                  Shown(copy, "size"), Shown(copy, "handles")});
  }
  return table.Text(4);
}

}  // namespace

std::string StatusTable(const json& status) {
  std::string text;
  text += "repository  " + Shown(status, "repository") + '\n';
  text += "branch      " + Shown(status, "branch") + " at " + Shown(status, "head").substr(0, kShortHexSize) + '\n';
  text += "mounted on  " + Shown(status, "mountpoint") + ", pid " + Shown(status, "pid") + ", durability " +
          Shown(status, "durability") + (status.value("read_only", false) ? ", read-only" : "") + '\n';
  text += RemoteLine(status);
  text += "counters    " + Counters(status) + '\n';
  text += "scratch     " + Scratch(status) + '\n';
  text += "maintenance " + MaintenanceLine(status) + '\n';
  const json& agents = List(status, "agents");
  text += agents.empty() ? "agents      none yet\n" : "agents\n";
  for (const json& agent : agents) {
    text += "  " + Shown(agent, "name") + ": knows " + Shown(agent, "known_paths") + " paths, has " +
            std::to_string(List(agent, "working_copies").size()) + " working copies\n";
    text += WorkingCopies(agent);
  }
  if (status.value("truncated", false)) text += "(cut: there is more than fits)\n";
  return text;
}

}  // namespace concordfs::tools
