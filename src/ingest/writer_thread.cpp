#include "writer_thread_internal.hpp"

#include "sensus/core/assert.hpp"

#include <algorithm>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <pthread.h>

namespace asio = boost::asio;

namespace sensus::ingest {
namespace {

void render_points(FlushJob& job) {
  for (std::size_t begin = 0; begin < job.closed.points.size(); begin += WriterThread::kPointsPerEvent) {
    const std::size_t end = std::min(begin + WriterThread::kPointsPerEvent, job.closed.points.size());
    const auto at = [&job](std::size_t i) { return job.closed.points.begin() + static_cast<std::ptrdiff_t>(i); };
    const codec::StepBatch batch{job.flush.tenant, job.closed.step, {at(begin), at(end)}};
    job.flush.events.push_back({model::Topic::metrics, "metric", codec::render_step_batch(batch)});
  }
}

}  // namespace

WriterThread::WriterThread(runtime::Executor reactor, std::unique_ptr<storage::SampleWriter> writer)
    : reactor_(std::move(reactor)), writer_(std::move(writer)), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "ingest-writer");
}

WriterThread::~WriterThread() {
  writer_->cancel();
  join();
}

void WriterThread::start(std::unique_ptr<FlushJob> job, Done done) {
  {
    const std::lock_guard lock(mutex_);
    SENSUS_ASSERT(!order_.job && !stopping_);
    order_ = {std::move(job), std::move(done), asio::prefer(reactor_, asio::execution::outstanding_work.tracked)};
  }
  wake_.notify_one();
}

void WriterThread::join() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void WriterThread::run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return order_.job || stopping_; });
    if (!order_.job) {
      return;
    }
    Order order = std::exchange(order_, {});
    lock.unlock();
    execute(std::move(order));
  }
}

void WriterThread::execute(Order order) {
  FlushJob& job = *order.job;
  render_points(job);
  const auto begin = std::chrono::steady_clock::now();
  job.result = writer_->write_blocking(job.deadline, job.flush);
  job.took = std::chrono::steady_clock::now() - begin;
  const runtime::Executor reply_to = order.reply_to;
  ended_->put(std::move(order));
  asio::post(reply_to, [ended = ended_] { ended->deliver(); });
}

void WriterThread::Ended::put(Order order) {
  const std::lock_guard lock(mutex_);
  order_.emplace(std::move(order));
  full_.store(true, std::memory_order_release);
}

void WriterThread::Ended::deliver() {
  if (!full_.load(std::memory_order_acquire)) {
    return;
  }
  std::optional<Order> order;
  {
    const std::lock_guard lock(mutex_);
    order.swap(order_);
    full_.store(false, std::memory_order_relaxed);
  }
  if (order) {
    order->done(std::move(order->job));
  }
}

}  // namespace sensus::ingest
