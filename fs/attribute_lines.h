// The log of the attributes as text: one JSON object a line, one line an operation.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "fs/attributes.h"

namespace concordfs::fs {

// Ends in a newline and has no other.
std::string EncodeLine(const AttributeOperation& operation);
std::string EncodeLines(std::span<const AttributeOperation> operations);

// What one line says; nothing for one that is damaged. Keys that aren't known are passed over, so that programs of
// different versions can use one log.
std::optional<AttributeOperation> DecodeLine(std::string_view line);

}  // namespace concordfs::fs
