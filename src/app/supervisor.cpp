#include "supervisor_internal.hpp"

#include "sensus/runtime/backoff.hpp"

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

namespace sensus::app {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::chrono::milliseconds kTick{50};
constexpr std::chrono::milliseconds kTickIdle{250};
constexpr std::chrono::seconds kSettled{30};  ///< Up that long: the next failure starts the back-off anew.
constexpr std::size_t kLineBytesMax = 2048;

struct Service {
  Service(ServiceSpec s, const telemetry::Log& l, telemetry::Metrics& metrics)
      : spec(std::move(s)),
        log(l.named(spec.name)),
        up(metrics.gauge("sensus_embedded_up", "1 while an embedded server is running and ready.", {{"service", spec.name}})),
        restarts(metrics.counter("sensus_embedded_restarts_total", "Times an embedded server died and was started again.",
                                 {{"service", spec.name}})) {}

  ServiceSpec spec;
  telemetry::Log log;
  telemetry::Gauge up;
  telemetry::Counter restarts;
  runtime::Backoff backoff{{std::chrono::milliseconds{200}, std::chrono::milliseconds{10'000}}};
  ChildProcess child;
  std::string output;
  bool alive = false;
  bool ready = false;
  SteadyTime started_at{};
  SteadyTime next_start{};
};

void forward_output(Service& service) {
  service.child.read_output(service.output);
  std::size_t at = 0;
  for (std::size_t end = 0; (end = service.output.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string_view line = std::string_view(service.output).substr(at, end - at);
    const telemetry::LogLevel level = service.spec.level_of(line);
    // One line each 30 s of those that look alike, so that a server in trouble cannot flood the log.
    if (level > telemetry::LogLevel::info) {
      service.log.throttled(level, line.substr(0, 40), line);
    } else {
      service.log.write(level, line);
    }
  }
  service.output.erase(0, at);
  if (service.output.size() > kLineBytesMax) {
    service.output.clear();
  }
}

void start(Service& service) {
  auto child = ChildProcess::start(service.spec.child);
  service.started_at = std::chrono::steady_clock::now();
  service.ready = false;
  service.alive = child.has_value();
  if (child) {
    service.child = std::move(*child);
    service.log.debug("started", {{"pid", service.child.pid()}});
    return;
  }
  service.next_start = service.started_at + service.backoff.next();
  service.log.throttled(telemetry::LogLevel::error, "start", child.error().message);
}

void mark_dead(Service& service) {
  service.alive = false;
  service.ready = false;
  service.up.set(0);
  const SteadyTime now = std::chrono::steady_clock::now();
  if (now - service.started_at > kSettled) {
    service.backoff.reset();
  }
  const auto delay = service.backoff.next();
  service.next_start = now + delay;
  service.restarts.inc();
  service.log.throttled(telemetry::LogLevel::error, "died", "the embedded server died; starting it again",
                        {{"how", service.child.exit_text()}, {"in_ms", delay.count()}});
}

void observe(Service& service) {
  forward_output(service);
  if (!service.child.running()) {
    forward_output(service);
    mark_dead(service);
    return;
  }
  if (!service.ready && service.spec.ready(service.child.pid())) {
    service.ready = true;
    service.up.set(1);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - service.started_at);
    service.log.info("embedded server ready", {{"pid", service.child.pid()}, {"took_ms", took.count()}});
  }
}

}  // namespace

struct Supervisor::Impl {
  Impl(std::vector<ServiceSpec> specs, const telemetry::Log& log, telemetry::Metrics& metrics) {
    for (ServiceSpec& spec : specs) {
      services.push_back(std::make_unique<Service>(std::move(spec), log, metrics));
    }
    thread = std::thread([this] { run(); });
  }

  void run() {
    pthread_setname_np(pthread_self(), "supervisor");
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    while (!is_stopping()) {
      tick();
    }
    stop_children();
  }

  bool is_stopping() {
    const std::lock_guard lock(mutex);
    return stop_deadline.has_value();
  }

  void tick() {
    bool all_ready = true;
    for (const auto& service : services) {
      if (service->alive) {
        observe(*service);
      } else if (std::chrono::steady_clock::now() >= service->next_start) {
        start(*service);
      }
      all_ready = all_ready && service->ready;
    }
    {
      const std::lock_guard lock(mutex);
      ready = all_ready;
    }
    changed.notify_all();
    wait_for_something(all_ready ? kTickIdle : kTick);
  }

  void wait_for_something(std::chrono::milliseconds longest) {
    std::vector<pollfd> entries{{wake, POLLIN, 0}};
    for (const auto& service : services) {
      if (service->alive && service->child.output() >= 0) {
        entries.push_back({service->child.output(), POLLIN, 0});
      }
    }
    ::poll(entries.data(), entries.size(), static_cast<int>(longest.count()));
  }

  void stop_children() {
    const Deadline deadline = *stop_deadline;
    const Deadline soft{std::chrono::steady_clock::now() + deadline.remaining() / 2};
    for (const auto& service : services) {
      service->child.signal(service->spec.stop_signal);
    }
    bool hard = false;
    while (any_running() && !deadline.expired()) {
      if (!hard && soft.expired()) {
        hard = true;
        clean = false;
        for (const auto& service : services) {
          service->child.signal(service->spec.hard_stop_signal);
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    clean = clean && !any_running();
    services.clear();  // Kills what is left.
  }

  bool any_running() {
    bool running = false;
    for (const auto& service : services) {
      std::string last_words;
      service->child.read_output(last_words);  // A full pipe would hold it back.
      running = service->child.running() || running;
    }
    return running;
  }

  std::vector<std::unique_ptr<Service>> services;  // The thread's alone.
  bool clean = true;                               // Read after the join.
  std::mutex mutex;                                // Guards the two below.
  bool ready = false;
  std::optional<Deadline> stop_deadline;
  std::condition_variable changed;
  int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  std::thread thread;
};

Supervisor::Supervisor(std::vector<ServiceSpec> services, telemetry::Log log, telemetry::Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(services), log, metrics)) {}

Supervisor::~Supervisor() {
  stop_blocking(Deadline::after(10s));
  ::close(impl_->wake);
}

bool Supervisor::wait_ready_blocking(Deadline deadline) {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_until(lock, deadline.at(), [this] { return impl_->ready; });
}

bool Supervisor::stop_blocking(Deadline deadline) {
  if (!impl_->thread.joinable()) {
    return impl_->clean;
  }
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop_deadline = deadline;
  }
  // Cannot fail but by an overflow, which wakes as well.
  if (::eventfd_write(impl_->wake, 1) != 0) {
    impl_->changed.notify_all();
  }
  impl_->thread.join();
  return impl_->clean;
}

Result<> stop_stale_blocking(Deadline deadline, pid_t pid, const std::filesystem::path& directory, int stop_signal,
                             int hard_stop_signal) {
  if (!is_process_in(pid, directory)) {
    return {};
  }
  ::kill(pid, stop_signal);
  const Deadline soft{std::chrono::steady_clock::now() + deadline.remaining() / 2};
  bool hard = false;
  while (is_process_in(pid, directory)) {
    if (deadline.expired()) {
      return make_error(Errc::timeout, "process " + std::to_string(pid) + " of an earlier run still works in '" + directory.string() +
                                           "' and does not end: stop it");
    }
    if (!hard && soft.expired()) {
      hard = true;
      ::kill(pid, hard_stop_signal);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
  return {};
}

}  // namespace sensus::app
