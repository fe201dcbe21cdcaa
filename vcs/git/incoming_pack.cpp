#include "vcs/git/incoming_pack.h"

#include <stdlib.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "vcs/git/disk_sync.h"
#include "vcs/git/git_error.h"
#include "vcs/git/handles.h"
#include "vcs/git/pack_folder.h"

namespace concordfs::vcs::git {
namespace {

namespace stdfs = std::filesystem;

constexpr unsigned kReadOnly = 0444;

}  // namespace

struct IncomingPack::Indexer {
  RepositoryHandle repository;
  OdbHandle odb;  // what deltas of a thin pack stand on
  std::unique_ptr<git_indexer, FreeWith<git_indexer_free>> indexer;
  git_indexer_progress progress{};
};

IncomingPack::IncomingPack(stdfs::path git_dir, stdfs::path folder, std::unique_ptr<Indexer> indexer)
    : git_dir_(std::move(git_dir)), folder_(std::move(folder)), indexer_(std::move(indexer)) {}

IncomingPack::IncomingPack(IncomingPack&& other) noexcept
    : git_dir_(std::move(other.git_dir_)), folder_(std::exchange(other.folder_, {})), indexer_(std::move(other.indexer_)) {}

IncomingPack::~IncomingPack() {
  indexer_.reset();
  std::error_code ignored;
  if (!folder_.empty()) stdfs::remove_all(folder_, ignored);
}

Result<IncomingPack> IncomingPack::Begin(const stdfs::path& git_dir) {
  std::string name = (git_dir / "objects" / (std::string(kIncoming) + "XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) return WriteSystemError(errno, "make " + name);
  IncomingPack pack(git_dir, name, std::make_unique<Indexer>());
  Indexer& indexer = *pack.indexer_;
  ClearLastError();
  int error = git_repository_open_ext(Receive(indexer.repository), git_dir.c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH, nullptr);
  if (error == 0) error = git_repository_odb(Receive(indexer.odb), indexer.repository.get());
  if (error != 0) return ReadError(error, "open the repository " + git_dir.string());
  git_indexer_options options;
  git_indexer_options_init(&options, GIT_INDEXER_OPTIONS_VERSION);
  error = git_indexer_new(Receive(indexer.indexer), name.c_str(), kReadOnly, indexer.odb.get(), &options);
  if (error != 0) return WriteError(error, "receive a pack", git_dir.string());
  return pack;
}

Result<void> IncomingPack::Append(std::string_view bytes) {
  ClearLastError();
  const int error = git_indexer_append(indexer_->indexer.get(), bytes.data(), bytes.size(), &indexer_->progress);
  if (error == 0) return {};
  return WriteError(error, "receive a pack", git_dir_.string());
}

Result<void> IncomingPack::Finish(bool durable) {
  ClearLastError();
  const int error = git_indexer_commit(indexer_->indexer.get(), &indexer_->progress);
  if (error != 0) return WriteError(error, "receive a pack", git_dir_.string());
  std::error_code failed;
  const stdfs::path packs = git_dir_ / "objects" / "pack";
  stdfs::create_directories(packs, failed);
  std::vector<stdfs::path> indexes;
  for (const auto& entry : stdfs::directory_iterator(folder_, failed)) {
    if (entry.path().extension() == ".idx") indexes.push_back(entry.path());
  }
  // Readers find a pack by its index: that comes last.
  for (const stdfs::path& index : indexes) {
    stdfs::path pack = index;
    pack.replace_extension(".pack");
    for (const stdfs::path& file : {pack, index}) {
      if (std::rename(file.c_str(), (packs / file.filename()).c_str()) != 0) return WriteSystemError(errno, "name " + file.string());
    }
  }
  return durable ? SyncFileSystem(git_dir_.string()) : Result<void>();
}

}  // namespace concordfs::vcs::git
