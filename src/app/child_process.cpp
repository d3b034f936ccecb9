#include "child_process_internal.hpp"

#include "sensus/core/assert.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace sensus::app {
namespace {

constexpr std::size_t kInputBytesMax = 64 * 1024;
constexpr int kExitCannotStart = 127;

struct Pipe {
  std::array<int, 2> ends{-1, -1};
  ~Pipe() {
    for (const int end : ends) {
      if (end >= 0) {
        ::close(end);
      }
    }
  }
  bool open() { return ::pipe2(ends.data(), O_CLOEXEC) == 0; }
  int take(std::size_t end) { return std::exchange(ends[end], -1); }
};

std::vector<char*> to_pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    out.push_back(const_cast<char*>(text.c_str()));
  }
  out.push_back(nullptr);
  return out;
}

/// All that the child needs, prepared before the fork: between fork and exec only async-signal-safe calls are allowed.
struct Prepared {
  const ChildSpec& spec;
  std::vector<char*> argv;
  std::vector<char*> environment;
  int input;
  int output;
  pid_t parent;
};

[[noreturn]] void fail_in_child(const char* what) {
  const char* reason = ::strerrordesc_np(errno);
  for (const char* part : {"cannot start: ", what, ": ", reason != nullptr ? reason : "unknown error", "\n"}) {
    if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) {
      break;
    }
  }
  ::_exit(kExitCannotStart);
}

[[noreturn]] void run_in_child(const Prepared& prepared) {
  ::dup2(prepared.input, STDIN_FILENO);
  ::dup2(prepared.output, STDOUT_FILENO);
  ::dup2(prepared.output, STDERR_FILENO);
  ::setsid();
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (const auto& user = prepared.spec.user) {
    if (::setgroups(user->groups.size(), user->groups.data()) != 0 || ::setgid(user->gid) != 0 || ::setuid(user->uid) != 0) {
      fail_in_child("cannot change user");
    }
  }
  // After setuid, which clears it. The parent may have died before this line.
  if (::prctl(PR_SET_PDEATHSIG, prepared.spec.death_signal) != 0 || ::getppid() != prepared.parent) {
    fail_in_child("the daemon is gone");
  }
  if (::chdir(prepared.spec.directory.c_str()) != 0) {
    fail_in_child(prepared.spec.directory.c_str());
  }
  ::execve(prepared.argv[0], prepared.argv.data(), prepared.environment.data());
  fail_in_child(prepared.argv[0]);
}

Error cannot_start(const ChildSpec& spec, const char* what) {
  return make_error(Errc::unavailable, "cannot start " + spec.argv.front() + ": " + what + ": " + std::strerror(errno));
}

std::string last_lines(const std::string& output) {
  constexpr std::size_t kTailBytes = 600;
  std::string tail = output.size() > kTailBytes ? output.substr(output.size() - kTailBytes) : output;
  while (!tail.empty() && tail.back() == '\n') {
    tail.pop_back();
  }
  return tail;
}

}  // namespace

std::optional<SystemUser> find_user(const std::string& name) {
  const passwd* entry = ::getpwnam(name.c_str());
  if (entry == nullptr) {
    return std::nullopt;
  }
  SystemUser user{name, entry->pw_uid, entry->pw_gid, {}};
  int count = 64;
  user.groups.resize(static_cast<std::size_t>(count));
  if (::getgrouplist(name.c_str(), user.gid, user.groups.data(), &count) < 0) {
    count = 1;
    user.groups[0] = user.gid;
  }
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

Result<ChildProcess> ChildProcess::start(const ChildSpec& spec) {
  SENSUS_ASSERT(!spec.argv.empty() && spec.input.size() < kInputBytesMax);
  Pipe input;
  Pipe output;
  if (!input.open() || !output.open()) {
    return cannot_start(spec, "pipe");
  }
  // Fits into the pipe, so it is written before anybody reads.
  if (!spec.input.empty() && ::write(input.ends[1], spec.input.data(), spec.input.size()) < 0) {
    return cannot_start(spec, "input");
  }
  Prepared prepared{spec, to_pointers(spec.argv), to_pointers(spec.environment), input.ends[0], output.ends[1], ::getpid()};
  const pid_t pid = ::fork();
  if (pid < 0) {
    return cannot_start(spec, "fork");
  }
  if (pid == 0) {
    run_in_child(prepared);
  }
  ChildProcess child;
  child.pid_ = pid;
  child.running_flag_ = true;
  child.output_ = output.take(0);
  ::fcntl(child.output_, F_SETFL, O_NONBLOCK);
  return child;
}

ChildProcess::~ChildProcess() {
  if (running()) {
    signal(SIGKILL);
    ::waitpid(pid_, &status_, 0);
  }
  close_output();
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      running_flag_(std::exchange(other.running_flag_, false)),
      status_(other.status_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    ChildProcess old(std::move(*this));
    pid_ = std::exchange(other.pid_, -1);
    output_ = std::exchange(other.output_, -1);
    running_flag_ = std::exchange(other.running_flag_, false);
    status_ = other.status_;
  }
  return *this;
}

void ChildProcess::close_output() {
  if (output_ >= 0) {
    ::close(std::exchange(output_, -1));
  }
}

void ChildProcess::read_output(std::string& into) {
  std::array<char, 4096> buffer{};
  while (output_ >= 0) {
    const ssize_t got = ::read(output_, buffer.data(), buffer.size());
    if (got > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      close_output();
    } else if (errno == EAGAIN) {
      return;
    }
  }
}

bool ChildProcess::running() {
  if (running_flag_ && ::waitpid(pid_, &status_, WNOHANG) == pid_) {
    running_flag_ = false;
  }
  return running_flag_;
}

std::string ChildProcess::exit_text() const {
  if (WIFSIGNALED(status_)) {
    return "killed by signal " + std::to_string(WTERMSIG(status_));
  }
  return "exit code " + std::to_string(WEXITSTATUS(status_));
}

void ChildProcess::signal(int number) const {
  if (running_flag_) {
    ::kill(pid_, number);
  }
}

Result<std::string> run_to_end_blocking(Deadline deadline, const ChildSpec& spec) {
  SENSUS_TRY(ChildProcess child, ChildProcess::start(spec));
  std::string output;
  while (child.running()) {
    if (deadline.expired()) {
      return make_error(Errc::timeout, spec.argv.front() + " took too long; its last output: " + last_lines(output));
    }
    pollfd entry{child.output(), POLLIN, 0};
    ::poll(&entry, 1, 20);
    child.read_output(output);
  }
  child.read_output(output);
  if (!child.exited_cleanly()) {
    return make_error(Errc::unavailable, spec.argv.front() + " failed (" + child.exit_text() + "): " + last_lines(output));
  }
  return output;
}

bool is_process_in(pid_t pid, const std::filesystem::path& directory) {
  if (pid <= 0) {
    return false;
  }
  std::error_code error;
  const auto working = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/cwd", error);
  return !error && working == std::filesystem::canonical(directory, error) && !error;
}

}  // namespace sensus::app
