#include "embedded_layout_internal.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace sensus::app {
namespace {

namespace fs = std::filesystem;

Error cannot(const std::string& what, const fs::path& path) {
  return make_error(Errc::unavailable, "cannot " + what + " '" + path.string() + "': " + std::strerror(errno));
}

/// A private directory of `user`. An existing one must already be that: nobody else may have prepared it.
Result<> make_private(const fs::path& path, const std::optional<SystemUser>& user) {
  const bool made = ::mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) {
    return cannot("create", path);
  }
  if (made && user && ::chown(path.c_str(), user->uid, user->gid) != 0) {
    return cannot("give to user " + user->name + " the directory", path);
  }
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return cannot("look at", path);
  }
  const uid_t owner = user ? user->uid : ::geteuid();
  if (!S_ISDIR(status.st_mode) || status.st_uid != owner) {
    return make_error(Errc::unavailable, "'" + path.string() + "' is not a directory of user " +
                                             (user ? user->name : "number " + std::to_string(owner)) +
                                             ": start as the user who started it first, or choose another --embedded directory");
  }
  ::chmod(path.c_str(), 0700);
  return {};
}

Result<> make_parents(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    return make_error(Errc::unavailable, "cannot create '" + path.string() + "': " + error.message());
  }
  return {};
}

/// Asks the kernel as that user, which covers every parent directory, ACLs included.
bool can_enter(const fs::path& path, const SystemUser& user) {
  ChildSpec spec;
  spec.argv = {"/usr/bin/test", "-x", path.string()};
  spec.user = user;
  return run_to_end_blocking(Deadline::after(5s), spec).has_value();
}

Result<> link_to(const fs::path& link, const fs::path& target) {
  std::error_code error;
  if (fs::is_symlink(fs::symlink_status(link, error))) {
    return {};
  }
  if (fs::exists(link, error)) {
    return make_error(Errc::unavailable, "'" + link.string() + "' is in the way: the servers' user cannot enter it, so its place is " +
                                             target.string() + "; move it there");
  }
  fs::create_directory_symlink(target, link, error);
  if (error) {
    return make_error(Errc::unavailable, "cannot link '" + link.string() + "': " + error.message());
  }
  return {};
}

Result<SystemUser> unprivileged_user() {
  if (auto user = find_user("postgres")) {
    return *std::move(user);
  }
  return make_error(Errc::unavailable, "PostgreSQL refuses to run as root and there is no user 'postgres': install postgresql-15, or "
                                       "start as a normal user");
}

/// DIR itself when the servers' user can enter it, else a directory below /var/lib/sensus with links to it left in DIR.
Result<fs::path> base_directory(const EmbeddedLayout& layout) {
  if (!layout.user || can_enter(layout.directory, *layout.user)) {
    return layout.directory;
  }
  const fs::path base = fs::path("/var/lib/sensus") / path_hash(layout.directory);
  SENSUS_TRY_VOID(make_parents(base));
  if (!can_enter(base, *layout.user)) {
    return make_error(Errc::unavailable, "user " + layout.user->name + " can enter neither '" + layout.directory.string() + "' nor '" +
                                             base.string() + "': make one of them traversable (chmod o+x on its parents)");
  }
  SENSUS_TRY_VOID(link_to(layout.directory / "postgres", base / "postgres"));
  SENSUS_TRY_VOID(link_to(layout.directory / "redis", base / "redis"));
  return base;
}

Result<fs::path> socket_directory(const fs::path& base, const std::optional<SystemUser>& user) {
  fs::path path = base / "run";
  if (path.string().size() > kSocketDirectoryBytesMax) {
    const fs::path parent = user && ::access("/run", W_OK) == 0 ? "/run" : "/tmp";
    path = parent / ("sensus-" + path_hash(base));
  }
  SENSUS_TRY_VOID(make_private(path, user));
  return path;
}

}  // namespace

std::string path_hash(const fs::path& path) {
  // FNV-1a, 64 bits: a short stable name, not a secret.
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : path.string()) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash));
  return text.data();
}

Result<DirectoryLock> DirectoryLock::acquire(const fs::path& directory) {
  SENSUS_TRY_VOID(make_parents(directory));
  const fs::path path = directory / ".lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return cannot("open", path);
  }
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    return make_error(Errc::conflict, "another sensusd uses '" + directory.string() + "': stop it, or choose another directory");
  }
  return DirectoryLock(descriptor);
}

DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Result<EmbeddedLayout> make_layout(const fs::path& directory, const telemetry::Log& log) {
  EmbeddedLayout layout;
  SENSUS_TRY_VOID(make_parents(directory));
  std::error_code error;
  layout.directory = fs::canonical(directory, error);
  if (error) {
    return make_error(Errc::unavailable, "cannot resolve '" + directory.string() + "': " + error.message());
  }
  if (::geteuid() == 0) {
    SENSUS_TRY(layout.user, unprivileged_user());
  }
  SENSUS_TRY(const fs::path base, base_directory(layout));
  layout.elsewhere = base != layout.directory;
  layout.postgres = base / "postgres";
  layout.redis = base / "redis";
  SENSUS_TRY_VOID(make_private(layout.postgres, layout.user));
  SENSUS_TRY_VOID(make_private(layout.redis, layout.user));
  SENSUS_TRY(layout.sockets, socket_directory(base, layout.user));
  if (layout.elsewhere) {
    log.warning("the servers' user cannot enter the directory; the data is kept elsewhere, with links left behind",
                {{"directory", layout.directory.string()}, {"data", base.string()}, {"user", layout.user->name}});
  }
  return layout;
}

}  // namespace sensus::app
