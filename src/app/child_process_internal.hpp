#pragma once

#include "sensus/core/deadline.hpp"
#include "sensus/core/result.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace sensus::app {

/// Whom a child runs as when the daemon is root. Looked up in the parent: a child between fork and exec may not.
struct SystemUser {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};
[[nodiscard]] std::optional<SystemUser> find_user(const std::string& name);

struct ChildSpec {
  std::vector<std::string> argv;  ///< argv[0] is an absolute path.
  std::string directory = "/";
  std::optional<SystemUser> user;
  std::vector<std::string> environment;  ///< Whole environment, "NAME=value".
  /// Sent by the kernel when the thread that started the child ends, thus also at kill -9 of the daemon.
  int death_signal = 15;
  std::string input;  ///< Given to standard input; at most a pipe's capacity (64 KiB).
};

/// A running child in a session of its own (a terminal's Ctrl-C does not reach it), its stdout and stderr readable by `output`.
/// **Threading**: one thread, which must live as long as the child (see death_signal). **Lifetime**: the destructor kills and reaps.
class ChildProcess {
 public:
  [[nodiscard]] static Result<ChildProcess> start(const ChildSpec& spec);
  ChildProcess() = default;
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Non-blocking read end; -1 after the child closed its side.
  [[nodiscard]] int output() const { return output_; }
  /// Reads what is there; closes `output` at end of file.
  void read_output(std::string& into);
  /// True until the child was reaped; then `exit_text` says how it ended.
  [[nodiscard]] bool running();
  [[nodiscard]] bool exited_cleanly() const { return !running_flag_ && status_ == 0; }
  [[nodiscard]] std::string exit_text() const;
  void signal(int number) const;

 private:
  void close_output();
  pid_t pid_ = -1;
  int output_ = -1;
  bool running_flag_ = false;
  int status_ = 0;
};

/// Runs to the end and returns what it printed. `unavailable` when it cannot start or fails (the message ends with the last
/// output), `timeout` when it was killed at the deadline. Blocks.
[[nodiscard]] Result<std::string> run_to_end_blocking(Deadline deadline, const ChildSpec& spec);

/// True when the process exists and works in `directory`, so that a recycled pid is not taken for ours.
[[nodiscard]] bool is_process_in(pid_t pid, const std::filesystem::path& directory);

}  // namespace sensus::app
