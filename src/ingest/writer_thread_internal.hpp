#pragma once

#include "step_accumulators_internal.hpp"

#include "sensus/codec/model_json.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/storage/samples.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace sensus::ingest {

/// One group commit: rows, and closed analysis steps, which the writer thread renders into outbox events.
struct FlushJob {
  storage::SampleFlush flush;
  StepAccumulators::Closed closed;
  Timestamp started;  ///< When it was given to the writer.
  Deadline deadline = Deadline::never();
  Duration took{};
  Result<storage::FlushResult> result = storage::FlushResult{};
};

/// The thread that owns the SampleWriter. One job at a time; its end is posted to the reactor.
/// **Threading**: reactor, except where the job runs. **Lifetime**: the destructor cancels a running write and joins.
class WriterThread {
 public:
  static constexpr std::size_t kPointsPerEvent = 500;
  using Done = std::function<void(std::unique_ptr<FlushJob>)>;

  WriterThread(runtime::Executor reactor, std::unique_ptr<storage::SampleWriter> writer);
  ~WriterThread();
  WriterThread(const WriterThread&) = delete;
  WriterThread& operator=(const WriterThread&) = delete;

  /// **Pre**: no job is running. `done` runs on the reactor, once, as an event of its own or in `poll`.
  void start(std::unique_ptr<FlushJob> job, Done done);
  /// Runs `done` of a job that has ended now: its event may stand behind many others, and the writer would be idle meanwhile.
  void poll() { ended_->deliver(); }
  /// Makes a running write fail.
  void cancel() { writer_->cancel(); }
  /// Waits for a running job. Idempotent; `start` may not follow.
  void join();

 private:
  void run();
  struct Order {
    std::unique_ptr<FlushJob> job;
    Done done;
    runtime::Executor reply_to;  ///< Tracks work: while a write runs the reactor is not idle.
  };
  /// Where the writer leaves a job that has ended. Shared with the event that tells of it.
  struct Ended {
    void put(Order order);
    /// Reactor. Costs one load when there is nothing.
    void deliver();

   private:
    std::atomic<bool> full_ = false;
    std::mutex mutex_;
    std::optional<Order> order_;
  };
  void execute(Order order);

  runtime::Executor reactor_;
  std::unique_ptr<storage::SampleWriter> writer_;
  std::mutex mutex_;
  std::condition_variable wake_;
  Order order_;            ///< Under mutex_, as stopping_.
  std::shared_ptr<Ended> ended_ = std::make_shared<Ended>();
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace sensus::ingest
