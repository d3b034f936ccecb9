#pragma once

#include "sensus/storage/storage_tool.hpp"

#include <string>

namespace sensus::app {

/// For people.
[[nodiscard]] std::string render_text(const storage::StorageStats& stats);
[[nodiscard]] std::string render_text(const storage::CompactionProgress& done);
[[nodiscard]] std::string render_text(const storage::VerifyProgress& done);

/// For programs: one object.
[[nodiscard]] std::string render_json(const storage::StorageStats& stats);
[[nodiscard]] std::string render_json(const storage::CompactionProgress& done);
[[nodiscard]] std::string render_json(const storage::VerifyProgress& done);

}  // namespace sensus::app
