#pragma once

#include "child_process_internal.hpp"

#include "sensus/telemetry/log.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace sensus::app {

/// Where the embedded servers live.
struct EmbeddedLayout {
  std::filesystem::path directory;     ///< What the operator named, absolute.
  std::filesystem::path postgres;      ///< The cluster. Owned by the servers' user, 0700.
  std::filesystem::path redis;         ///< Append-only files.
  std::filesystem::path sockets;       ///< Unix sockets; 0700: who may enter may connect as any role.
  std::optional<SystemUser> user;      ///< Set when the daemon is root, whom PostgreSQL refuses.
  bool elsewhere = false;              ///< `directory` is closed to the user: the servers live below /var/lib/sensus.
};

/// Holds the lock of an embedded directory, so that two daemons never supervise one cluster. Freed by the kernel with the process.
class DirectoryLock {
 public:
  [[nodiscard]] static Result<DirectoryLock> acquire(const std::filesystem::path& directory);
  ~DirectoryLock();
  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) = delete;

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

/// Makes what is missing. **Errors**: `unavailable` names the directory and what to do.
[[nodiscard]] Result<EmbeddedLayout> make_layout(const std::filesystem::path& directory, const telemetry::Log& log);

/// 16 hex digits that stand for a path: stable over runs.
[[nodiscard]] std::string path_hash(const std::filesystem::path& path);

/// The longest directory that can hold "/.s.PGSQL.5432" (sun_path is 108 bytes with its NUL).
inline constexpr std::size_t kSocketDirectoryBytesMax = 107 - 14;

}  // namespace sensus::app
