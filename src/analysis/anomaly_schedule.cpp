#include "anomaly_worker_internal.hpp"

#include "sensus/runtime/backoff.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

namespace sensus::analysis {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kPublishLimit{10};
constexpr std::chrono::seconds kRetrainLimit{30};
constexpr std::size_t kRetrainChunk = 32;  ///< About 30 ms, so that scoring waits little.
constexpr std::chrono::seconds kLookInterval{5};  ///< How soon a version that was activated elsewhere is followed.

struct RetrainJob {
  std::vector<SeriesKey> keys;
  std::vector<ml::Profile> profiles;
  std::vector<std::unique_ptr<SeriesScorer>> scorers;
  std::atomic<bool> cancelled = false;
};

template <class T>
std::string digits(T value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

}  // namespace

std::string render_parameters(const ml::DetectorParams& params) {
  return "{\"profile\":\"" + std::string(ml::name_of(params.profile)) + "\",\"warmup\":" + digits(params.warmup) +
         ",\"false_alerts_per_week\":" + digits(params.false_alerts_per_week) + "}";
}

Result<ml::DetectorParams> parse_parameters(const std::string& json, ml::DetectorParams defaults) {
  const auto object = nlohmann::json::parse(json, nullptr, false);
  const Error wrong = make_error(Errc::corrupt, "the parameters of a model are not what this program writes");
  if (!object.is_object()) {
    return wrong;
  }
  if (const auto profile = object.find("profile"); profile != object.end()) {
    const auto known = profile->is_string() ? ml::parse_profile(profile->get<std::string>()) : std::nullopt;
    if (!known) {
      return wrong;
    }
    defaults.profile = *known;
  }
  if (const auto warmup = object.find("warmup"); warmup != object.end()) {
    if (!warmup->is_number_unsigned()) {
      return wrong;
    }
    defaults.warmup = warmup->get<std::size_t>();
  }
  if (const auto rate = object.find("false_alerts_per_week"); rate != object.end()) {
    if (!rate->is_number()) {
      return wrong;
    }
    defaults.false_alerts_per_week = rate->get<double>();
  }
  return defaults;
}

std::string version_prefix(const ml::DetectorParams& params) {
  std::uint32_t hash = 2'166'136'261U;  // FNV-1a: a short name, not a proof.
  for (const char c : render_parameters(params)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619U;
  }
  std::array<char, 8> hex{};
  for (std::size_t i = 0; i < hex.size(); ++i) {
    hex[i] = "0123456789abcdef"[(hash >> (28 - 4 * i)) & 0xFU];
  }
  return std::string(kAlgorithm) + "-" + std::string(hex.data(), hex.size()) + "-";
}

model::ModelVersion make_version(const ml::DetectorParams& params, Timestamp now) {
  const Timestamp date = std::chrono::floor<std::chrono::milliseconds>(now);
  return {.id = 0,
          .version = version_prefix(params) + render_rfc3339(date),
          .algorithm = std::string(kAlgorithm),
          .parameters_json = render_parameters(params),
          .training_date = date,
          .is_active = true,
          .profile = std::string(ml::name_of(params.profile))};
}

runtime::Async<> AnomalyWorker::Impl::ensure_version(Deadline deadline) {
  if (!model_version.empty()) {
    co_return Result<>{};
  }
  Result<> looked = co_await look_at_version(deadline);
  co_return looked;
}

/// Follows the active version. At first the configuration has a say: of a version that is not its own and was not activated by hand it
/// publishes one in the place.
runtime::Async<> AnomalyWorker::Impl::look_at_version(Deadline deadline) {
  const Deadline limit = min(deadline, Deadline::after(kPublishLimit));
  std::string algorithm(kAlgorithm);
  Result<model::ModelVersion> active = co_await deps.models.active(limit, kDefaultTenant, std::move(algorithm));
  if (!active && active.error().code != Errc::not_found) {
    metrics.failures_publish.inc();
    co_return std::move(active).error();
  }
  const ml::DetectorParams configured = detector_params(options);
  const bool first = model_version.empty();
  const bool serves = active && (!first || active->is_pinned || active->version.starts_with(version_prefix(configured)));
  if (!serves) {
    model::ModelVersion fresh = make_version(configured, deps.clock.now());
    active = co_await deps.models.publish(limit, kDefaultTenant, std::move(fresh));
    if (!active) {
      metrics.failures_publish.inc();
      co_return std::move(active).error();
    }
  }
  if (active->version == model_version) {
    co_return Result<>{};
  }
  Result<> used = co_await use(limit, std::move(*active));
  co_return used;
}

runtime::Async<> AnomalyWorker::Impl::use(Deadline deadline, model::ModelVersion version) {
  const Result<ml::DetectorParams> fresh = parse_parameters(version.parameters_json, {});
  if (!fresh) {
    metrics.failures_publish.inc();
    deps.log.throttled(telemetry::LogLevel::error, "anomaly_version",
                       "the active version of the anomaly model cannot be understood; detectors stay as they are. Activate another one",
                       {{"version", version.version}});
    if (model_version.empty()) {
      model_version = version.version;
    }
    co_return Result<>{};
  }
  if (render_parameters(*fresh) != render_parameters(params)) {
    std::vector<SeriesKey> keys = cache.keys();
    const Result<> saved = co_await save_states(deadline, std::move(keys));
    if (!saved) {
      co_return saved.error();
    }
    params = *fresh;
    cache.clear(params.profile);
  }
  model_version = version.version;
  deps.log.info("a version of the anomaly model is in use",
                {{"version", model_version}, {"pinned", version.is_pinned}, {"parameters", version.parameters_json}});
  co_return Result<>{};
}

runtime::Async<> AnomalyWorker::Impl::refresh_version() {
  const Deadline deadline = Deadline::after(kRetrainLimit);
  Turn turn(*this);
  Result<> entered = co_await turn.enter_unless_stopped(deadline);
  if (!entered) {
    co_return std::move(entered).error();
  }
  Result<> looked = co_await look_at_version(deadline);
  if (!looked) {
    co_return std::move(looked).error();
  }
  Result<> applied = co_await apply_feedback(deadline);
  if (!applied || deps.alerts == nullptr) {
    co_return applied;
  }
  Result<> swept = co_await deps.alerts->sweep(deadline);
  co_return swept;
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
    if (std::unique_ptr<SeriesScorer> scorer = cache.lend(key)) {
      job->keys.push_back(key);
      job->profiles.push_back(cache.profile_of(key));
      job->scorers.push_back(std::move(scorer));
    }
  }
  std::function<Result<bool>(runtime::JobContext&)> work = [job](runtime::JobContext& context) -> Result<bool> {
    context.on_cancel([job] { job->cancelled = true; });
    for (const std::unique_ptr<SeriesScorer>& scorer : job->scorers) {
      if (!job->cancelled) {
        scorer->detector().retrain();
      }
    }
    return true;
  };
  Result<bool> ran = co_await deps.cpu.submit<bool>(deadline, std::move(work));
  if (!ran) {
    co_return std::move(ran).error();  // The detectors went with the job: learned anew when their series is next seen.
  }
  for (std::size_t i = 0; i < job->keys.size(); ++i) {
    cache.give_back(job->keys[i], job->profiles[i], std::move(job->scorers[i]));
  }
  co_return job->keys.size();
}

runtime::Async<std::size_t> AnomalyWorker::Impl::retrain_all(std::shared_ptr<Impl> self) {
  const std::vector<SeriesKey> keys = self->cache.keys();
  std::size_t done = 0;
  for (std::size_t begin = 0; begin < keys.size() && !self->stopped; begin += kRetrainChunk) {
    const auto first = keys.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = keys.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kRetrainChunk, keys.size()));
    std::vector<SeriesKey> chunk(first, last);
    Result<std::size_t> retrained = co_await self->retrain_chunk(std::move(chunk));
    if (!retrained) {
      co_return std::move(retrained).error();
    }
    self->metrics.retrains.inc(static_cast<double>(*retrained));
    done += *retrained;
  }
  co_return done;
}

runtime::Task AnomalyWorker::Impl::run_schedule(std::shared_ptr<Impl> self) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  self->looking.emplace(executor);
  runtime::Backoff backoff({.first = 1s, .longest = 60s});
  while (!self->stopped) {
    const Result<> looked = co_await self->refresh_version();
    if (self->stopped) {
      co_return;
    }
    Duration pause = kLookInterval;
    if (looked) {
      backoff.reset();
    } else {
      pause = backoff.next();
      self->deps.log.throttled(telemetry::LogLevel::warning, "anomaly_publish",
                               "the version of the anomaly model could not be read or recorded and will be tried again; see the state of "
                               "PostgreSQL",
                               {{"error", to_string(looked.error().code)}, {"detail", looked.error().message}});
    }
    const Deadline until = Deadline::after(pause);
    static_cast<void>(co_await self->looking->wait(until));
  }
}

void AnomalyWorker::Impl::stop() {
  stopped = true;
  if (stopping) {
    stopping->notify();
  }
  if (looking) {
    looking->notify();
  }
  if (listening) {
    listening->notify();
  }
  if (idle) {
    idle->notify();
  }
}

}  // namespace sensus::analysis
