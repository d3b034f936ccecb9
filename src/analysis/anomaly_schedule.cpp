#include "anomaly_worker_internal.hpp"

#include "sensus/runtime/backoff.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace sensus::analysis {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kAlgorithm = "isolation_forest";
constexpr std::chrono::seconds kPublishLimit{10};
constexpr std::chrono::seconds kRetrainLimit{30};
constexpr std::size_t kRetrainChunk = 32;  ///< About 30 ms, so that scoring waits little.
constexpr std::size_t kVersionsLooked = 100;

struct RetrainJob {
  std::vector<SeriesKey> keys;
  std::vector<std::unique_ptr<ml::Detector>> detectors;
  std::atomic<bool> cancelled = false;
};

template <class T>
std::string digits(T value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

}  // namespace

std::string render_parameters(const AnomalyOptions& options) {
  const ml::ForestDetectorParams params = detector_params(options);
  return "{\"trees\":" + digits(params.trees) + ",\"subsample\":" + digits(params.subsample) + ",\"history\":" + digits(params.history) +
         ",\"warmup\":" + digits(params.warmup) + ",\"threshold\":" + digits(params.threshold) +
         ",\"features\":[\"value\",\"difference\",\"shift\",\"lag\",\"level\"]}";
}

std::string version_prefix(const AnomalyOptions& options) {
  std::uint32_t hash = 2'166'136'261U;  // FNV-1a: a short name, not a proof.
  for (const char c : render_parameters(options)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619U;
  }
  std::array<char, 8> hex{};
  for (std::size_t i = 0; i < hex.size(); ++i) {
    hex[i] = "0123456789abcdef"[(hash >> (28 - 4 * i)) & 0xFU];
  }
  return std::string(kAlgorithm) + "-" + std::string(hex.data(), hex.size()) + "-";
}

model::ModelVersion make_version(const AnomalyOptions& options, Timestamp now) {
  const Timestamp date = std::chrono::floor<std::chrono::milliseconds>(now);
  return {.id = 0,
          .version = version_prefix(options) + render_rfc3339(date),
          .algorithm = std::string(kAlgorithm),
          .parameters_json = render_parameters(options),
          .training_date = date,
          .is_active = true};
}

runtime::Async<> AnomalyWorker::Impl::ensure_version(Deadline deadline) {
  if (!model_version.empty()) {
    co_return Result<>{};
  }
  const Deadline limit = min(deadline, Deadline::after(kPublishLimit));
  const Result<storage::Page<model::ModelVersion>> known =
      co_await deps.models.list(limit, kDefaultTenant, kVersionsLooked, std::nullopt);
  if (!known) {
    metrics.failures_publish.inc();
    co_return known.error();
  }
  const std::string prefix = version_prefix(options);
  for (const model::ModelVersion& version : known->items) {
    if (version.is_active && version.algorithm == kAlgorithm && version.version.starts_with(prefix)) {
      model_version = version.version;
      co_return Result<>{};
    }
  }
  Result<> published = co_await publish(limit);
  co_return published;
}

runtime::Async<> AnomalyWorker::Impl::publish(Deadline deadline) {
  model::ModelVersion version = make_version(options, deps.clock.now());
  Result<model::ModelVersion> published = co_await deps.models.publish(deadline, kDefaultTenant, std::move(version));
  if (!published) {
    metrics.failures_publish.inc();
    co_return std::move(published).error();
  }
  model_version = published->version;
  deps.log.info("a new version of the anomaly model is active", {{"version", model_version}, {"detectors", cache.size()}});
  co_return Result<>{};
}

/// `fresh`: a new version even if one is known.
runtime::Async<> AnomalyWorker::Impl::adopt_or_publish(bool fresh) {
  const Deadline deadline = Deadline::after(kPublishLimit);
  Turn turn(*this);
  Result<> entered = co_await turn.enter_unless_stopped(deadline);
  if (!entered) {
    co_return std::move(entered).error();
  }
  Result<> done = Result<>{};
  if (fresh) {
    done = co_await publish(deadline);
  } else {
    done = co_await ensure_version(deadline);
  }
  co_return done;
}

runtime::Task AnomalyWorker::Impl::publish_persistently(bool fresh) {
  runtime::Backoff backoff({.first = 1s, .longest = 60s});
  while (!stopped) {
    const Result<> published = co_await adopt_or_publish(fresh);
    if (published || stopped) {
      co_return;
    }
    deps.log.throttled(telemetry::LogLevel::warning, "anomaly_publish",
                       "the anomaly model's version was not recorded and will be tried again; see the state of PostgreSQL",
                       {{"error", to_string(published.error().code)}, {"detail", published.error().message}});
    const Deadline pause = Deadline::after(backoff.next());
    static_cast<void>(co_await stopping->wait(pause));
  }
}

runtime::Async<std::size_t> AnomalyWorker::Impl::retrain_chunk(std::vector<SeriesKey> keys) {
  const Deadline deadline = Deadline::after(kRetrainLimit);
  Turn turn(*this);
  Result<> entered = co_await turn.enter_unless_stopped(deadline);
  if (!entered) {
    co_return std::move(entered).error();
  }
  const auto job = std::make_shared<RetrainJob>();
  for (const SeriesKey key : keys) {
    if (std::unique_ptr<ml::Detector> detector = cache.lend(key)) {
      job->keys.push_back(key);
      job->detectors.push_back(std::move(detector));
    }
  }
  std::function<Result<bool>(runtime::JobContext&)> work = [job](runtime::JobContext& context) -> Result<bool> {
    context.on_cancel([job] { job->cancelled = true; });
    for (const std::unique_ptr<ml::Detector>& detector : job->detectors) {
      if (!job->cancelled) {
        detector->retrain();
      }
    }
    return true;
  };
  Result<bool> ran = co_await deps.cpu.submit<bool>(deadline, std::move(work));
  if (!ran) {
    co_return std::move(ran).error();  // The detectors went with the job: learned anew when their series is next seen.
  }
  for (std::size_t i = 0; i < job->keys.size(); ++i) {
    cache.give_back(job->keys[i], std::move(job->detectors[i]));
  }
  co_return job->keys.size();
}

runtime::Task AnomalyWorker::Impl::retrain_all() {
  const std::vector<SeriesKey> keys = cache.keys();
  for (std::size_t begin = 0; begin < keys.size() && !stopped; begin += kRetrainChunk) {
    const auto first = keys.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = keys.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kRetrainChunk, keys.size()));
    std::vector<SeriesKey> chunk(first, last);
    const Result<std::size_t> retrained = co_await retrain_chunk(std::move(chunk));
    if (retrained) {
      metrics.retrains.inc(static_cast<double>(*retrained));
      continue;
    }
    deps.log.throttled(telemetry::LogLevel::warning, "anomaly_retrain",
                       "detectors were not retrained on schedule; they go on as they are or relearn from storage",
                       {{"error", to_string(retrained.error().code)}, {"detail", retrained.error().message}});
  }
}

runtime::Task AnomalyWorker::Impl::run_schedule(std::shared_ptr<Impl> self) {
  if (!self->stopping) {
    const runtime::Executor executor = co_await asio::this_coro::executor;
    self->stopping.emplace(executor);
  }
  co_await self->publish_persistently(false);
  while (!self->stopped) {
    const Deadline next = Deadline::after(self->options.retrain_interval);
    static_cast<void>(co_await self->stopping->wait(next));
    if (self->stopped) {
      co_return;
    }
    co_await self->retrain_all();
    co_await self->publish_persistently(true);
  }
}

void AnomalyWorker::Impl::stop() {
  stopped = true;
  if (stopping) {
    stopping->notify();
  }
  if (idle) {
    idle->notify();
  }
}

}  // namespace sensus::analysis
