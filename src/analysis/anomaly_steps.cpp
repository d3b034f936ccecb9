#include "anomaly_worker_internal.hpp"

#include <algorithm>
#include <iterator>

namespace sensus::analysis {
namespace {

constexpr std::size_t kWarmChunk = 500;  ///< Series a scoring job takes.
constexpr std::size_t kNewChunk = 100;   ///< Series that one query loads and one job learns: about a second.
constexpr std::size_t kRestoreChunk = 250;  ///< Saved states that one query loads: a few megabytes.
constexpr std::chrono::seconds kLoadLimit{15};
constexpr std::chrono::seconds kScoreLimit{30};

Timestamp first_time(const SeriesTask& task) { return task.steps.front().sample.time; }

std::vector<SeriesTask> take_front(std::vector<SeriesTask>& tasks, std::size_t count) {
  const auto end = tasks.begin() + static_cast<std::ptrdiff_t>(std::min(count, tasks.size()));
  std::vector<SeriesTask> front(std::make_move_iterator(tasks.begin()), std::make_move_iterator(end));
  tasks.erase(tasks.begin(), end);
  return front;
}

/// Takes tasks off the front that one query can serve: not too many, of one tenant and step, beginning close to each other.
std::vector<SeriesTask> take_chunk(std::vector<SeriesTask>& tasks, std::chrono::microseconds span) {
  const SeriesTask& head = tasks.front();
  const auto fits = [&head, span](const SeriesTask& task) {
    return task.key.tenant == head.key.tenant && task.step == head.step && first_time(task) - first_time(head) <= span &&
           (task.scorer == nullptr) == (head.scorer == nullptr);
  };
  std::size_t count = 1;
  while (count < tasks.size() && count < kNewChunk && fits(tasks[count])) {
    ++count;
  }
  return take_front(tasks, count);
}

/// A restored detector with nothing between its last step and the first to be scored.
bool is_current(const SeriesTask& task) { return task.scorer && task.scorer->last_time() + task.step >= first_time(task); }

void hand_out(std::vector<storage::SampleStore::StepMeans> history, std::vector<SeriesTask>& tasks) {
  std::map<SeriesId, SeriesTask*> by_series;
  for (SeriesTask& task : tasks) {
    by_series[task.key.series] = &task;
  }
  for (storage::SampleStore::StepMeans& means : history) {
    const auto found = by_series.find(means.series);
    if (found == by_series.end()) {
      continue;
    }
    const Timestamp before = first_time(*found->second);
    std::erase_if(means.points, [before](const model::Sample& sample) { return sample.time >= before; });
    found->second->history = std::move(means.points);
  }
}

}  // namespace

std::map<SeriesKey, SeriesTask> AnomalyWorker::Impl::collect_tasks() const {
  std::map<SeriesKey, SeriesTask> tasks;
  for (std::size_t event = 0; event < pending.size(); ++event) {
    for (std::size_t point = 0; point < pending[event].steps.size(); ++point) {
      const PendingEvent::Step& step = pending[event].steps[point];
      if (step.done) {
        continue;
      }
      const SeriesKey key{pending[event].tenant, step.series};
      SeriesTask& task = tasks[key];
      task.key = key;
      // 0 means every sample is a step; the past is then read by the minute.
      task.step = pending[event].step > 0s ? pending[event].step : std::chrono::seconds{60};
      task.steps.push_back({event, point, step.sample});
    }
  }
  for (auto& [key, task] : tasks) {
    std::ranges::stable_sort(task.steps, {}, [](const PendingStep& step) { return step.sample.time; });
  }
  return tasks;
}

void AnomalyWorker::Impl::mark_done(const std::vector<PendingStep>& steps) {
  for (const PendingStep& step : steps) {
    pending[step.event].steps[step.point].done = true;
  }
}

runtime::Async<> AnomalyWorker::Impl::score_all(Deadline deadline) {
  std::vector<SeriesTask> warm;
  std::vector<SeriesTask> empty;
  const auto now = deps.clock.steady_now();
  const std::size_t evictions_before = cache.evictions();
  const std::size_t shrunk_before = cache.shrunk();
  for (auto& [key, task] : collect_tasks()) {
    const DetectorCache::Place place = cache.admit(key, now);
    if (place == DetectorCache::Place::no_series_left || place == DetectorCache::Place::no_memory_left) {
      refuse(task, place);
      continue;
    }
    (place == DetectorCache::Place::warm ? metrics.hits : metrics.misses).inc();
    (place == DetectorCache::Place::warm ? warm : empty).push_back(std::move(task));
  }
  metrics.evictions.inc(static_cast<double>(cache.evictions() - evictions_before));
  metrics.shrunk.inc(static_cast<double>(cache.shrunk() - shrunk_before));
  metrics.detectors.set(static_cast<double>(cache.size()));
  metrics.detectors_compact.set(static_cast<double>(cache.size(ml::Profile::compact)));
  metrics.memory.set(static_cast<double>(cache.bytes()));
  const Result<> saved = co_await save_evicted(deadline);
  static_cast<void>(saved);  // Told where it failed; they are learned from samples then.
  // A place may have become compact for a later one.
  const auto lost = std::ranges::partition(warm, [this](const SeriesTask& task) { return cache.peek(task.key) != nullptr; }).begin();
  empty.insert(empty.end(), std::make_move_iterator(lost), std::make_move_iterator(warm.end()));
  warm.erase(lost, warm.end());

  while (!warm.empty()) {
    std::vector<SeriesTask> chunk = take_front(warm, kWarmChunk);
    Result<> scored = co_await score_chunk(deadline, std::move(chunk));
    if (!scored) {
      co_return std::move(scored).error();
    }
  }
  Result<> scored = co_await score_new(deadline, std::move(empty));
  co_return scored;
}

void AnomalyWorker::Impl::refuse(const SeriesTask& task, DetectorCache::Place place) {
  mark_done(task.steps);
  const bool memory = place == DetectorCache::Place::no_memory_left;
  (memory ? metrics.steps_refused_memory : metrics.steps_refused).inc(static_cast<double>(task.steps.size()));
  deps.log.throttled(telemetry::LogLevel::warning, "anomaly_series_max",
                     "more series than detectors: some are stored but not scored; raise anomaly.series_max or anomaly.memory_max if memory "
                     "allows",
                     {{"series_max", options.series_max}, {"memory_max", render_byte_size(options.memory_max)}, {"short_of", memory ? "memory" : "series"}});
}

/// Series without a detector in memory: restored where a sound state is saved, else learned.
runtime::Async<> AnomalyWorker::Impl::score_new(Deadline deadline, std::vector<SeriesTask> tasks) {
  std::ranges::sort(tasks, {}, &SeriesTask::key);
  while (!tasks.empty()) {
    std::size_t count = 1;
    while (count < tasks.size() && count < kRestoreChunk && tasks[count].key.tenant == tasks.front().key.tenant) {
      ++count;
    }
    std::vector<SeriesTask> chunk = take_front(tasks, count);
    Result<> known = co_await look_up(deadline, chunk);
    if (!known) {
      co_return std::move(known).error();
    }
    Result<> restored = co_await restore(deadline, chunk);
    if (!restored) {
      co_return std::move(restored).error();
    }
    const auto gapless = std::ranges::partition(chunk, [](const SeriesTask& task) { return !is_current(task); }).begin();
    std::vector<SeriesTask> current(std::make_move_iterator(gapless), std::make_move_iterator(chunk.end()));
    chunk.erase(gapless, chunk.end());
    Result<> scored = co_await score_chunk(deadline, std::move(current));
    if (!scored) {
      co_return std::move(scored).error();
    }
    Result<> rest = co_await score_behind(deadline, std::move(chunk));
    if (!rest) {
      co_return std::move(rest).error();
    }
  }
  co_return Result<>{};
}

/// Those that lack steps before their first one: a restored detector since its state, a new one all of its past.
runtime::Async<> AnomalyWorker::Impl::score_behind(Deadline deadline, std::vector<SeriesTask> tasks) {
  std::ranges::sort(tasks, {}, [](const SeriesTask& task) {
    return std::tuple(task.key.tenant, task.step, task.scorer == nullptr, first_time(task));
  });
  while (!tasks.empty()) {
    std::vector<SeriesTask> chunk = take_chunk(tasks, std::chrono::microseconds(options.history));
    Result<> loaded = co_await load_history(deadline, chunk);
    if (!loaded) {
      co_return std::move(loaded).error();
    }
    Result<> scored = co_await score_chunk(deadline, std::move(chunk));
    if (!scored) {
      co_return std::move(scored).error();
    }
  }
  co_return Result<>{};
}

runtime::Async<> AnomalyWorker::Impl::load_history(Deadline deadline, std::vector<SeriesTask>& tasks) {
  std::vector<SeriesId> ids;
  const std::chrono::microseconds past = std::chrono::microseconds(options.history);
  Timestamp from = first_time(tasks.front());
  Timestamp to = from;
  for (const SeriesTask& task : tasks) {
    ids.push_back(task.key.series);
    from = std::min(from, task.scorer ? std::max(task.scorer->last_time(), first_time(task) - past) : first_time(task) - past);
    to = std::max(to, first_time(task));
  }
  const Deadline limit = min(deadline, Deadline::after(kLoadLimit));
  Result<std::vector<storage::SampleStore::StepMeans>> history =
      co_await deps.samples.step_means(limit, tasks.front().key.tenant, std::move(ids), from, to, tasks.front().step);
  if (history) {
    hand_out(std::move(*history), tasks);
    co_return Result<>{};
  }
  metrics.failures_history.inc();
  if (traits_of(history.error().code).retryable) {
    co_return std::move(history).error();
  }
  deps.log.throttled(telemetry::LogLevel::error, "anomaly_history",
                     "the past of some series cannot be read; their detectors learn from now on",
                     {{"error", to_string(history.error().code)}, {"detail", history.error().message}});
  co_return Result<>{};
}

runtime::Async<> AnomalyWorker::Impl::score_chunk(Deadline deadline, std::vector<SeriesTask> tasks) {
  if (tasks.empty()) {
    co_return Result<>{};
  }
  const auto began = deps.clock.steady_now();
  std::vector<PendingStep> steps;
  const auto job = std::make_shared<ScoreJob>();
  for (SeriesTask& task : tasks) {
    if (!task.scorer) {
      task.profile = cache.profile_of(task.key);
      task.scorer = cache.lend(task.key);
    }
    steps.insert(steps.end(), task.steps.begin(), task.steps.end());
  }
  job->tasks = std::move(tasks);
  job->params = params;
  job->model_version = model_version;
  std::function<Result<bool>(runtime::JobContext&)> work = [job](runtime::JobContext& context) -> Result<bool> {
    context.on_cancel([job] { job->cancelled = true; });
    run(*job);
    return true;
  };
  const Deadline limit = min(deadline, Deadline::after(kScoreLimit));
  Result<bool> ran = co_await deps.cpu.submit<bool>(limit, std::move(work));
  metrics.score_seconds.observe(std::chrono::duration<double>(deps.clock.steady_now() - began).count());
  if (!ran) {
    // The detectors went with the job, which may still be running; they are learned anew.
    metrics.failures_score.inc();
    if (traits_of(ran.error().code).retryable) {
      co_return std::move(ran).error();
    }
    mark_done(steps);
    metrics.steps_failed.inc(static_cast<double>(steps.size()));
    deps.log.throttled(telemetry::LogLevel::error, "anomaly_score_failed",
                       "steps were given up unscored; this is a defect, please report it",
                       {{"steps", steps.size()}, {"detail", ran.error().message}});
    co_return Result<>{};
  }
  for (SeriesTask& task : job->tasks) {
    cache.give_back(task.key, task.profile, std::move(task.scorer));
    for (const PendingStep& step : task.steps) {
      pending[step.event].steps[step.point].sample.value = step.sample.value;
    }
  }
  for (FoundAnomaly& found : job->found) {
    pending[found.event].found.push_back(std::move(found.anomaly));
  }
  mark_done(steps);
  metrics.steps_scored.inc(static_cast<double>(job->scored));
  metrics.steps_late.inc(static_cast<double>(job->late));
  metrics.learned.inc(static_cast<double>(job->learned.size()));
  for (const SeriesKey key : job->learned) {
    learned_anew.insert(key.series);
  }
  metrics.steps_replayed.inc(static_cast<double>(job->replayed));
  co_return Result<>{};
}

}  // namespace sensus::analysis
