#include "log_internal.hpp"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>

#include <cerrno>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace sensus::telemetry {
namespace {

constexpr std::size_t kQueueLines = 4096;
constexpr std::chrono::seconds kFlushBudget{1};

/// Writes to a descriptor without ever blocking in write(2): a pipe that polls writable takes PIPE_BUF bytes at once. After
/// `give_up_at` what is left is dropped and counted, so that a stalled reader cannot hold the process's end.
class DescriptorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit DescriptorSink(int descriptor) : descriptor_(descriptor) {}

  void give_up_after(std::chrono::steady_clock::duration grace) {
    give_up_at_.store((std::chrono::steady_clock::now() + grace).time_since_epoch().count());
  }
  [[nodiscard]] std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (!write_all({message.payload.data(), message.payload.size()})) {
      lost_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  void flush_() override {}

 private:
  bool write_all(std::string_view text) {
    constexpr std::size_t kPipeAtomicBytes = 4096;
    while (!text.empty()) {
      if (!wait_writable()) {
        return false;
      }
      const ssize_t written = ::write(descriptor_, text.data(), std::min(text.size(), kPipeAtomicBytes));
      if (written > 0) {
        text.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno != EINTR && errno != EAGAIN) {
        return false;  // A closed pipe or a full disk: the line is lost, the daemon goes on.
      }
    }
    return true;
  }

  bool wait_writable() {
    while (std::chrono::steady_clock::now().time_since_epoch().count() < give_up_at_.load()) {
      pollfd poll_entry{descriptor_, POLLOUT, 0};
      if (::poll(&poll_entry, 1, 100) > 0) {
        return true;
      }
    }
    return false;
  }

  int descriptor_;
  std::atomic<std::chrono::steady_clock::rep> give_up_at_{std::chrono::steady_clock::duration::max().count()};
  std::atomic<std::uint64_t> lost_{0};
};

/// Signals are the reactor's business; a writer thread that takes one would delay it.
void prepare_writer_thread() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), "log");
}

class AsyncSink final : public Log::Sink {
 public:
  AsyncSink(LogLevel level, bool json, int descriptor)
      : Sink(level, json),
        descriptor_sink_(std::make_shared<DescriptorSink>(descriptor)),
        pool_(std::make_shared<spdlog::details::thread_pool>(kQueueLines, 1, prepare_writer_thread)),
        logger_(std::make_shared<spdlog::async_logger>("sensus", descriptor_sink_, pool_,
                                                       spdlog::async_overflow_policy::overrun_oldest)) {
    logger_->set_level(spdlog::level::trace);
  }
  ~AsyncSink() override { close(); }

  void emit(std::string line) override {
    line += '\n';
    const std::lock_guard lock(mutex_);
    if (!logger_) {
      return;
    }
    logger_->log(spdlog::level::info, line);
  }

  [[nodiscard]] std::uint64_t dropped() const override {
    const std::lock_guard lock(mutex_);
    return (pool_ ? pool_->overrun_counter() : overrun_at_close_) + descriptor_sink_->lost();
  }

  void shutdown() override { close(); }

 private:
  void close() {
    std::shared_ptr<spdlog::details::thread_pool> pool;
    {
      const std::lock_guard lock(mutex_);
      if (!pool_) {
        return;
      }
      overrun_at_close_ = pool_->overrun_counter();
      pool = std::move(pool_);
      logger_.reset();
    }
    descriptor_sink_->give_up_after(kFlushBudget);
    // The destructor queues an end mark behind the last line and joins the thread.
    pool.reset();
  }

  std::shared_ptr<DescriptorSink> descriptor_sink_;
  mutable std::mutex mutex_;  // Guards the two below against shutdown; held for the time of one enqueue.
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::async_logger> logger_;
  std::uint64_t overrun_at_close_ = 0;
};

class CallbackSink final : public Log::Sink {
 public:
  CallbackSink(LogLevel level, bool json, std::function<void(std::string_view)> lines)
      : Sink(level, json), lines_(std::move(lines)) {}
  void emit(std::string line) override {
    const std::lock_guard lock(mutex_);
    lines_(line);
  }

 private:
  std::mutex mutex_;
  std::function<void(std::string_view)> lines_;
};

bool wants_json(LogFormat format) {
  return format == LogFormat::json || (format == LogFormat::automatic && ::isatty(STDERR_FILENO) == 0);
}

}  // namespace

LogSystem::LogSystem(LogOptions options)
    : sink_(std::make_shared<AsyncSink>(options.level, wants_json(options.format), STDERR_FILENO)) {}

LogSystem::LogSystem(LogOptions options, std::function<void(std::string_view line)> lines)
    : sink_(std::make_shared<CallbackSink>(options.level, options.format != LogFormat::text, std::move(lines))) {}

LogSystem::~LogSystem() { sink_->shutdown(); }

Log LogSystem::log(std::string component) const { return Log(sink_, std::move(component)); }

void LogSystem::set_level(LogLevel level) { sink_->set_level(level); }

std::uint64_t LogSystem::dropped_lines() const { return sink_->dropped(); }

void LogSystem::shutdown() { sink_->shutdown(); }

}  // namespace sensus::telemetry
