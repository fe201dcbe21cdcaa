// Parked changes (R7) as the command line shows and restores them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "vcs/parking.h"
#include "vcs/result.h"
#include "vcs/store.h"
#include "vcs/version.h"

namespace concordfs::tools {

// The rejected and the recovered changes, oldest first. Errors: as vcs::Store.
Result<std::vector<vcs::Parked>> ListParked(vcs::Store& store);

// What the agent wanted at the path; absent for a deletion. Errors: as vcs::TreeReader; kInvalidName.
Result<vcs::MaybeVersion> ParkedVersion(vcs::Store& store, const vcs::Parked& parked);

// "rejected" or "recovered".
const char* ParkedKind(const vcs::Parked& parked);

// One line each, below titles; a sentence if there are none.
std::string ParkedTable(const std::vector<vcs::Parked>& list);
// All that is known of one, a line for each member, without its content.
std::string ParkedDescription(const vcs::Parked& parked, const vcs::MaybeVersion& mine);

// {"id","kind","ref","agent","path","base","head","winner","reason","process","commit","parent","time","time_s"}. Bytes
// that are not UTF-8 are replaced when it is printed with JsonText.
nlohmann::json ParkedJson(const vcs::Parked& parked);
std::string JsonText(const nlohmann::json& json);

}  // namespace concordfs::tools
