// concordfs rejected: the changes that were refused or recovered, and parked.
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/commands.h"
#include "tools/complaint.h"
#include "tools/exit_status.h"
#include "tools/mount_xattr.h"
#include "tools/parked_change.h"
#include "tools/restore.h"
#include "vcs/git/diff.h"
#include "vcs/git/git_store.h"

namespace concordfs::tools {
namespace {

using nlohmann::json;

struct RejectedOptions {
  std::string repository;  // empty: that of the mount of the current directory
  std::string id;
  std::string output;  // restore: a file; empty: the path in the mount
  std::string mount = ".";
  bool json = false;
};

void Print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

Result<vcs::git::Repository> Open(const RejectedOptions& options) {
  if (!options.repository.empty()) {
    return vcs::git::OpenRepository(std::filesystem::absolute(options.repository), vcs::git::Durability::kProcess);
  }
  const auto repository = ReadMountXattr(options.mount, kRepositoryXattr);
  if (!repository) {
    if (repository.code() != Code::kNotSupported) return repository.error();
    return MakeError(Code::kNotSupported, "rejected",
                     "not inside a concordfs mount, so --repo has to name the repository");
  }
  return vcs::git::OpenRepository(*repository, vcs::git::Durability::kProcess);
}

// Everything that the commands on one parked change work on.
struct Opened {
  vcs::git::Repository repository;
  vcs::Parked parked;
  vcs::MaybeVersion mine;
};

Result<Opened> OpenParked(const RejectedOptions& options) {
  auto repository = Open(options);
  if (!repository) return repository.error();
  auto parked = vcs::Parking::Find(*repository->store, options.id);
  if (!parked) return parked.error();
  const auto mine = ParkedVersion(*repository->store, *parked);
  if (!mine) return mine.error();
  return Opened{std::move(*repository), std::move(*parked), *mine};
}

// One member for scripts, or one line for people.
void PrintDone(const RejectedOptions& options, const Opened& opened, const char* name, const std::string& line) {
  if (!options.json) return Print(line + '\n');
  json done = ParkedJson(opened.parked);
  done[name] = true;
  Print(JsonText(done));
}

int RunList(const RejectedOptions& options) {
  const auto repository = Open(options);
  if (!repository) return Fail(repository.error());
  const auto list = ListParked(*repository->store);
  if (!list) return Fail(list.error());
  if (options.json) {
    json items = json::array();
    for (const vcs::Parked& parked : *list) items.push_back(ParkedJson(parked));
    Print(JsonText(items));
  } else {
    Print(ParkedTable(*list));
  }
  return kExitOk;
}

// {..., "mine", "content"}; the content is null for a deletion and for what is too large for JSON.
int ShowAsJson(const Opened& opened) {
  constexpr std::uint64_t kMaxContentSize = 1 << 20;  // bytes
  json shown = ParkedJson(opened.parked);
  shown["mine"] = vcs::ToString(opened.mine);
  shown["content"] = nullptr;
  if (opened.mine) {
    vcs::Store& store = *opened.repository.store;
    const auto size = store.BlobSize(opened.mine->blob);
    if (!size) return Fail(size.error());
    shown["size"] = *size;
    if (*size <= kMaxContentSize) {
      auto content = store.Read(opened.mine->blob, vcs::ObjectKind::kBlob);
      if (!content) return Fail(content.error());
      shown["content"] = std::move(*content);
    }
  }
  Print(JsonText(shown));
  return kExitOk;
}

// The blob goes through a file because the store writes to one that can be sought.
Result<void> PrintContent(vcs::Store& store, const vcs::ObjectId& blob) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), std::fclose);
  if (!file) return SystemError("temporary file", errno);
  if (auto copied = store.CopyBlobTo(blob, fileno(file.get())); !copied) return copied;
  std::rewind(file.get());
  char buffer[1 << 16];
  while (const std::size_t size = std::fread(buffer, 1, sizeof(buffer), file.get())) {
    if (std::fwrite(buffer, 1, size, stdout) != size) return SystemError("stdout", errno);
  }
  return {};
}

int RunShow(const RejectedOptions& options) {
  const auto opened = OpenParked(options);
  if (!opened) return Fail(opened.error());
  if (options.json) return ShowAsJson(*opened);
  Print(ParkedDescription(opened->parked, opened->mine));
  if (!opened->mine) return kExitOk;
  Print("\n");
  const auto printed = PrintContent(*opened->repository.store, opened->mine->blob);
  return printed ? kExitOk : Fail(printed.error());
}

int RunDiff(const RejectedOptions& options) {
  const auto opened = OpenParked(options);
  if (!opened) return Fail(opened.error());
  const auto path = vcs::RepoPath::Parse(opened->parked.path);
  if (!path) return Fail(path.error());
  const auto diff =
      vcs::git::UnifiedDiff(opened->repository.git_dir, opened->parked.parent, opened->parked.commit, *path);
  if (!diff) return Fail(diff.error());
  if (options.json) {
    json shown = ParkedJson(opened->parked);
    shown["diff"] = *diff;
    Print(JsonText(shown));
  } else {
    Print(*diff);
  }
  return kExitOk;
}

// The mount to restore in has to be one of the repository that the change is parked in.
Result<std::filesystem::path> MountToRestoreIn(const RejectedOptions& options, const Opened& opened) {
  const auto repository = ReadMountXattr(options.mount, kRepositoryXattr);
  if (!repository) return repository.error();
  std::error_code failed;
  if (!std::filesystem::equivalent(*repository, opened.repository.git_dir, failed)) {
    return MakeError(Code::kInvalidArgument, vcs::Quoted(options.mount),
                     "is a mount of another repository, " + *repository);
  }
  return MountRootOf(options.mount);
}

int RunRestore(const RejectedOptions& options) {
  const auto opened = OpenParked(options);
  if (!opened) return Fail(opened.error());
  const std::string shown_path = vcs::Quoted(opened->parked.path);
  if (!options.output.empty()) {
    const auto restored = RestoreToFile(*opened->repository.store, opened->mine, options.output);
    if (!restored) return Fail(restored.error());
    PrintDone(options, *opened, "restored", "restored " + shown_path + " to " + vcs::Quoted(options.output));
    return kExitOk;
  }
  const auto path = vcs::RepoPath::Parse(opened->parked.path);
  if (!path) return Fail(path.error());
  const auto mount = MountToRestoreIn(options, *opened);
  if (!mount) return Fail(mount.error());
  const auto restored = RestoreInMount(*opened->repository.store, opened->mine, *path, *mount);
  if (!restored) return Fail(restored.error());
  PrintDone(options, *opened, "restored",
            (opened->mine ? "restored " : "deleted ") + shown_path + " as " + opened->parked.agent + " had it; " +
                opened->parked.id + " stays parked");
  return kExitOk;
}

int RunDrop(const RejectedOptions& options) {
  const auto repository = Open(options);
  if (!repository) return Fail(repository.error());
  const auto parked = vcs::Parking::Find(*repository->store, options.id);
  if (!parked) return Fail(parked.error());
  const auto dropped = repository->store->DeleteRef(parked->ref, parked->commit);
  if (!dropped) return Fail(dropped.error());
  if (options.json) {
    json done = ParkedJson(*parked);
    done["dropped"] = true;
    Print(JsonText(done));
  } else {
    Print("dropped " + parked->id + ": " + vcs::Quoted(parked->path) + " of " + parked->agent + '\n');
  }
  return kExitOk;
}

using Action = int (*)(const RejectedOptions&);

CLI::App* AddAction(CLI::App& rejected, const std::shared_ptr<RejectedOptions>& options, const char* name,
                    const char* description, const std::shared_ptr<Action>& chosen, Action action) {
  CLI::App* const command = rejected.add_subcommand(name, description);
  command->fallthrough();  // --json and --repo may stand behind, too
  if (action != RunList) command->add_option("ID", options->id, "As list shows it, or its first digits")->required();
  command->callback([chosen, action] { *chosen = action; });
  return command;
}

}  // namespace

void AddRejectedCommand(CLI::App& app, int& exit_status) {
  const auto options = std::make_shared<RejectedOptions>();
  const auto chosen = std::make_shared<Action>(RunList);
  CLI::App* const command =
      app.add_subcommand("rejected", "List, show and restore the changes that were refused or recovered, and parked");
  command->require_subcommand(0, 1);
  command->add_flag("--json", options->json, "Print JSON");
  command->add_option("--repo", options->repository, "The repository; by default that of the mount one stands in")
      ->type_name("REPO");
  AddAction(*command, options, "list", "All of them, oldest first (the default)", chosen, RunList);
  AddAction(*command, options, "show", "What is known of one, and its content", chosen, RunShow);
  AddAction(*command, options, "diff", "What it would have changed, as a unified diff from its base", chosen, RunDiff);
  CLI::App* const restore =
      AddAction(*command, options, "restore",
                "Write it, as the calling agent, on top of what is there now; it stays parked", chosen, RunRestore);
  restore->add_option("--output", options->output, "Write it to this file instead")->type_name("FILE");
  restore->add_option("--mount", options->mount, "A path inside the mount to write to")
      ->type_name("PATH")
      ->capture_default_str();
  AddAction(*command, options, "drop", "Forget it", chosen, RunDrop);
  command->callback([options, chosen, &exit_status] { exit_status = (*chosen)(*options); });
}

}  // namespace concordfs::tools
