#include "sensus/runtime/blocking_pool.hpp"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace sensus::runtime {

namespace asio = boost::asio;
using CompletionHandler = asio::any_completion_handler<void(Result<>)>;

namespace {

struct PoolMetrics {
  PoolMetrics(telemetry::Metrics& m, const std::string& pool)
      : queued(m.gauge("sensus_runtime_pool_queue_jobs", "Jobs waiting for a pool thread.", {{"pool", pool}})),
        running(m.gauge("sensus_runtime_pool_running_jobs", "Jobs on a pool thread now.", {{"pool", pool}})),
        overloaded(m.counter("sensus_runtime_pool_overloaded_total", "Jobs refused because the queue was full.", {{"pool", pool}})),
        timeouts(m.counter("sensus_runtime_pool_timeouts_total", "Jobs whose deadline passed, queued or running.", {{"pool", pool}})),
        late(m.counter("sensus_runtime_pool_late_results_total", "Results dropped because nobody waited any more.", {{"pool", pool}})),
        wait_seconds(m.histogram("sensus_runtime_pool_wait_seconds", "Time a job waited for a thread.", telemetry::latency_buckets(), {{"pool", pool}})),
        run_seconds(m.histogram("sensus_runtime_pool_run_seconds", "Time a job ran.", telemetry::latency_buckets(), {{"pool", pool}})) {}
  telemetry::Gauge queued;
  telemetry::Gauge running;
  telemetry::Counter overloaded;
  telemetry::Counter timeouts;
  telemetry::Counter late;
  telemetry::Histogram wait_seconds;
  telemetry::Histogram run_seconds;
};

double seconds_since(std::chrono::steady_clock::time_point t) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count();
}

}  // namespace

/// One submitted job. `handler` and `timer` belong to the reactor, `work` to the queue and then to its worker, the hook to `mutex`.
class Ticket {
 public:
  Ticket(Executor reactor, Deadline deadline, std::function<void(JobContext&)> job)
      : timer(reactor, deadline.at()), guard(reactor), due(deadline), work(std::move(job)) {}

  asio::steady_timer timer;
  asio::executor_work_guard<Executor> guard;
  // Emplaced, never assigned: Asio 1.26's any_completion_handler recurses for ever in its assignment.
  std::optional<CompletionHandler> handler;
  const Deadline due;
  const std::chrono::steady_clock::time_point queued_at = std::chrono::steady_clock::now();
  std::function<void(JobContext&)> work;

  std::mutex mutex;
  std::function<void()> cancel_hook;
  bool abandoned = false;

  /// Reactor: the first caller wins; the handler runs as a fresh reactor event.
  bool complete(Result<> result) {
    if (!handler) {
      return false;
    }
    timer.cancel();
    auto finished = std::move(*handler);
    handler.reset();
    asio::post(guard.get_executor(), [finished = std::move(finished), result = std::move(result)]() mutable {
      std::move(finished)(std::move(result));
    });
    guard.reset();
    return true;
  }
};

namespace {

class RunningJob final : public JobContext {
 public:
  RunningJob(std::size_t worker, Ticket& ticket) : JobContext(worker), ticket_(ticket) {}
  ~RunningJob() override {
    const std::lock_guard lock(ticket_.mutex);
    ticket_.cancel_hook = nullptr;
  }
  RunningJob(const RunningJob&) = delete;
  RunningJob& operator=(const RunningJob&) = delete;
  void on_cancel(std::function<void()> hook) override {
    const std::lock_guard lock(ticket_.mutex);
    if (ticket_.abandoned) {
      hook();
      return;
    }
    ticket_.cancel_hook = std::move(hook);
  }
  [[nodiscard]] Deadline deadline() const override { return ticket_.due; }

 private:
  Ticket& ticket_;
};

Result<> run_job(std::size_t worker, Ticket& ticket) {
  RunningJob context(worker, ticket);
  try {
    ticket.work(context);
    return {};
  } catch (const std::exception& e) {
    return make_error(Errc::internal, std::string("unexpected exception: ") + e.what());
  }
}

}  // namespace

struct BlockingPool::Impl : std::enable_shared_from_this<BlockingPool::Impl> {
  Impl(Executor executor, BlockingPoolOptions opts, telemetry::Metrics& m)
      : reactor(std::move(executor)), options(std::move(opts)), metrics(m, options.name) {}

  void start() {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (std::size_t i = 0; i < options.threads; ++i) {
      threads.emplace_back([this, i] {
        if (options.nice > 0) {
          // Of this thread alone on Linux. It cannot fail upwards, and a pool that is not nice works all the same.
          (void)::setpriority(PRIO_PROCESS, 0, options.nice);
        }
        work(i);
      });
      pthread_setname_np(threads.back().native_handle(), (options.name + "-" + std::to_string(i)).substr(0, 15).c_str());
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void work(std::size_t worker) {
    while (std::shared_ptr<Ticket> ticket = take()) {
      metrics.wait_seconds.observe(seconds_since(ticket->queued_at));
      const auto began = std::chrono::steady_clock::now();
      Result<> result = run_job(worker, *ticket);
      ticket->work = nullptr;
      metrics.run_seconds.observe(seconds_since(began));
      {
        const std::lock_guard lock(mutex);
        metrics.running.set(static_cast<double>(--running));
      }
      const Executor to = reactor;
      asio::post(to, [self = shared_from_this(), ticket = std::move(ticket), result = std::move(result)]() mutable {
        if (!ticket->complete(std::move(result))) {
          self->metrics.late.inc();
        }
      });
    }
  }

  std::shared_ptr<Ticket> take() {
    std::unique_lock lock(mutex);
    wake.wait(lock, [this] { return stopping || !queue.empty(); });
    if (queue.empty()) {
      return nullptr;
    }
    auto ticket = std::move(queue.front());
    queue.pop_front();
    metrics.queued.set(static_cast<double>(queue.size()));
    metrics.running.set(static_cast<double>(++running));
    return ticket;
  }

  Result<> enqueue(const std::shared_ptr<Ticket>& ticket) {
    const std::lock_guard lock(mutex);
    if (stopping) {
      return make_error(Errc::cancelled, "shutting down");
    }
    if (queue.size() >= options.queue_limit) {
      metrics.overloaded.inc();
      return make_error(Errc::overloaded, "too many " + options.name + " jobs are waiting; try again later");
    }
    queue.push_back(ticket);
    metrics.queued.set(static_cast<double>(queue.size()));
    wake.notify_one();
    return {};
  }

  /// Reactor: the waiter leaves; a queued job is removed, a running one is told to stop.
  void abandon(const std::shared_ptr<Ticket>& ticket, Error why) {
    if (!ticket->handler) {
      return;
    }
    {
      const std::lock_guard lock(mutex);
      std::erase(queue, ticket);
      metrics.queued.set(static_cast<double>(queue.size()));
    }
    {
      const std::lock_guard lock(ticket->mutex);
      ticket->abandoned = true;
      if (ticket->cancel_hook) {
        ticket->cancel_hook();
        ticket->cancel_hook = nullptr;
      }
    }
    ticket->complete(std::move(why));
  }

  void initiate(const std::shared_ptr<Ticket>& ticket, CompletionHandler handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    ticket->handler.emplace(std::move(handler));
    if (Result<> queued = enqueue(ticket); !queued) {
      ticket->complete(std::move(queued));
      return;
    }
    if (slot.is_connected()) {
      slot.assign([self = shared_from_this(), ticket](asio::cancellation_type) {
        self->abandon(ticket, make_error(Errc::cancelled, "stopped while waiting for " + self->options.name));
      });
    }
    ticket->timer.async_wait([self = shared_from_this(), ticket](const boost::system::error_code& ec) {
      if (!ec && ticket->handler) {
        self->metrics.timeouts.inc();
        self->abandon(ticket, make_error(Errc::timeout, "the deadline passed while waiting for " + self->options.name));
      }
    });
  }

  void stop() {
    std::deque<std::shared_ptr<Ticket>> dropped;
    {
      const std::lock_guard lock(mutex);
      stopping = true;
      dropped.swap(queue);
      metrics.queued.set(0);
      wake.notify_all();
    }
    for (auto& ticket : dropped) {
      asio::post(reactor, [ticket] { ticket->complete(make_error(Errc::cancelled, "shutting down")); });
    }
    for (std::thread& thread : threads) {
      if (thread.joinable()) {
        thread.join();
      }
    }
  }

  Executor reactor;
  const BlockingPoolOptions options;
  PoolMetrics metrics;
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::shared_ptr<Ticket>> queue;
  std::size_t running = 0;
  bool stopping = false;
  std::vector<std::thread> threads;
};

BlockingPool::BlockingPool(Executor reactor, BlockingPoolOptions options, telemetry::Metrics& metrics)
    : impl_(std::make_shared<Impl>(std::move(reactor), std::move(options), metrics)) {
  impl_->start();
}

BlockingPool::~BlockingPool() { impl_->stop(); }

Async<> BlockingPool::submit_erased(Deadline deadline, std::function<void(JobContext&)> job) {
  const auto impl = impl_;
  auto ticket = std::make_shared<Ticket>(impl->reactor, deadline, std::move(job));
  auto initiation = [impl, ticket](CompletionHandler handler) { impl->initiate(ticket, std::move(handler)); };
  Result<> result = co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Result<>)>(
      std::move(initiation), asio::use_awaitable);
  co_return result;
}

std::size_t BlockingPool::queued() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->queue.size();
}

std::size_t BlockingPool::running() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->running;
}

std::size_t BlockingPool::threads() const { return impl_->options.threads; }

void BlockingPool::stop_blocking() { impl_->stop(); }

}  // namespace sensus::runtime
