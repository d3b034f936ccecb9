#include "group_watch_internal.hpp"

#include "sensus/config/section.hpp"
#include "sensus/runtime/backoff.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <functional>

namespace sensus::analysis {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kLookLimit{120};
constexpr std::chrono::seconds kScoreLimit{60};
constexpr std::chrono::seconds kLookEveryMin{5};
constexpr std::chrono::seconds kLookEveryMax{
    15};  ///< A look that finds no step over costs a list of the members.
constexpr std::size_t kNewAtOnce = 8;  ///< Groups that one query loads all of the past of.
constexpr std::size_t kAnomaliesPage = 500;
constexpr std::size_t kAnomalyPages = 40;  ///< The newest come first.
constexpr std::chrono::hours kStretch{2};  ///< That one job catches up with.
/// A group that is learned is judged for this long back: its last rows may be younger than the
/// watch's last look.
constexpr std::chrono::minutes kJudgedBack{15};

telemetry::Gauge left_out(telemetry::Metrics& metrics, std::string_view what) {
  return metrics.gauge("sensus_analysis_group_left_out",
                       "What analysis.groups selects and is not watched: groups (beyond 200), "
                       "members (beyond 5,000), columns (beyond columns_max).",
                       {{"what", what}});
}

telemetry::Counter failures(telemetry::Metrics& metrics, std::string_view stage) {
  return metrics.counter("sensus_analysis_group_failures_total",
                         "Failed looks at groups by stage; made again.", {{"stage", stage}});
}

Timestamp floor_to(Timestamp time, std::chrono::seconds step) {
  return Timestamp{time.time_since_epoch() -
                   time.time_since_epoch() % std::chrono::microseconds(step)};
}

Result<> check_label(std::string_view name) {
  if (name.empty() || name == "group" || name == model::kNameLabel) {
    return make_error(Errc::invalid_input, "by is the name of a label other than group");
  }
  return {};
}

Result<> check_selector(std::string_view text) {
  const Result<model::Selector> selector = model::parse_selector(text);
  if (!selector) {
    return selector.error();
  }
  return storage::check_selector(*selector);
}

}  // namespace

void describe(config::Section& section, GroupOptions& group) {
  section.string("name", group.name, "The label `group` of what is said of it.").required();
  section
      .string("selector", group.selector,
              "Which series, as in queries: '{__name__=~\"http_.+|process_.+\",env=\"prod\"}'.")
      .required()
      .checked(check_selector);
  section
      .string(
          "by", group.by,
          "Series that share a value of this label are one group; those without it are in none.")
      .checked(check_label);
  section.integer("columns_max", group.columns_max, 2, 64,
                  "Series of a group that are looked at together, the oldest first. All of them "
                  "count for the share of anomalous ones.");
}

GroupMetrics::GroupMetrics(telemetry::Metrics& m)
    : groups(m.gauge("sensus_analysis_groups", "Groups of series that are watched.")),
      left_out_groups(left_out(m, "groups")),
      left_out_members(left_out(m, "members")),
      left_out_columns(left_out(m, "columns")),
      rows(m.counter("sensus_analysis_group_rows_total", "Steps of groups that were scored.")),
      learned(m.counter("sensus_analysis_groups_learned_total",
                        "Detectors of groups made from stored samples.")),
      anomalies(
          m.counter("sensus_analysis_group_anomalies_total", "Anomalies of groups committed.")),
      anomalies_lost(m.counter(
          "sensus_analysis_group_anomalies_lost_total",
          "Anomalies of groups that went meanwhile, or whose score was refused as a new series.")),
      failures_members(failures(m, "members")),
      failures_read(failures(m, "read")),
      failures_score(failures(m, "score")),
      failures_store(failures(m, "store")),
      seconds(m.histogram("sensus_analysis_group_look_seconds", "Time of one look at all groups.",
                          telemetry::latency_buckets())) {}

GroupWatch::Impl::Impl(Deps d, GroupWatchOptions o, std::vector<Configured> c)
    : deps(std::move(d)), options(std::move(o)), configured(std::move(c)), metrics(deps.metrics) {}

model::Labels GroupWatch::Impl::labels_of(const Key& key) const {
  const GroupOptions& of = configured[key.first].options;
  return {{of.by, key.second}, {"group", of.name}};
}

runtime::Async<> GroupWatch::Impl::look(std::shared_ptr<Impl> self) {
  if (self->deps.may_run && !self->deps.may_run()) {
    self->groups.clear();
    self->told = {};
    self->metrics.groups.set(0);
    co_return Result<>{};
  }
  const Deadline deadline = Deadline::after(kLookLimit);
  const auto began = self->deps.clock.steady_now();
  Result<> told_before = co_await self->tell(deadline);
  if (!told_before) {
    self->metrics.failures_store.inc();
    co_return told_before;  // Nothing new while results wait.
  }
  Result<> refreshed = co_await self->refresh_members(deadline);
  if (!refreshed) {
    self->metrics.failures_members.inc();
    co_return refreshed;
  }
  const Timestamp until = floor_to(self->deps.clock.now() - self->options.wait, self->options.step);
  Result<> odd_read = co_await self->read_odd(deadline, until);
  if (!odd_read) {
    self->metrics.failures_read.inc();
    co_return odd_read;
  }
  Result<> scored = co_await self->score(deadline, until, false);
  if (!scored) {
    co_return scored;
  }
  Result<> learned = co_await self->score(deadline, until, true);
  if (!learned) {
    co_return learned;
  }
  self->metrics.seconds.observe(
      std::chrono::duration<double>(self->deps.clock.steady_now() - began).count());
  co_return Result<>{};
}

/// Those that go on, or those that are to be learned, a job after the other.
runtime::Async<> GroupWatch::Impl::score(Deadline deadline, Timestamp until, bool is_new) {
  while (const std::shared_ptr<GroupJob> job = next_job(until, is_new)) {
    Result<> read = co_await read_steps(deadline, job);
    if (!read) {
      metrics.failures_read.inc();
      give_back(*job);
      co_return std::move(read).error();
    }
    std::function<Result<bool>(runtime::JobContext&)> work =
        [job](runtime::JobContext& context) -> Result<bool> {
      context.on_cancel([job] { job->cancelled = true; });
      sensus::analysis::run(*job);
      return true;
    };
    const Deadline limit = min(deadline, Deadline::after(kScoreLimit));
    const Result<bool> ran = co_await deps.cpu.submit<bool>(limit, std::move(work));
    if (!ran) {
      // The detectors went with the job, which may still be running; they are learned anew.
      metrics.failures_score.inc();
      for (const GroupTask& task : job->tasks) {
        groups.at(task.key).done.reset();
      }
      co_return ran.error();
    }
    take(*job);
    Result<> stored = co_await tell(deadline);
    if (!stored) {
      metrics.failures_store.inc();
      co_return std::move(stored).error();
    }
  }
  co_return Result<>{};
}

/// Takes detectors out of groups that have steps to be looked at; nullptr when none has.
std::shared_ptr<GroupJob> GroupWatch::Impl::next_job(Timestamp until, bool is_new) {
  auto job = std::make_shared<GroupJob>();
  job->step = options.step;
  job->until = until;
  const auto is_due = [is_new, until](const Group& group) {
    return is_new ? !group.done : group.done && *group.done < until;
  };
  for (const auto& [key, group] : groups) {
    if (!is_new && is_due(group)) {
      job->until = std::min<Timestamp>(
          job->until,
          std::max<Timestamp>(*group.done, until - std::chrono::microseconds(options.history)) +
              kStretch);
    }
  }
  for (auto& [key, group] : groups) {
    if (is_due(group) && (is_new || *group.done < job->until)) {
      fill_task(job->tasks.emplace_back(), key, group, job->until);
    }
    if (is_new && job->tasks.size() == kNewAtOnce) {
      break;
    }
  }
  return job->tasks.empty() ? nullptr : job;
}

void GroupWatch::Impl::fill_task(GroupTask& task, const Key& key, Group& group, Timestamp until) {
  task.key = key;
  task.members = group.members.size();
  task.judged = group.done ? *group.done - options.step : until - kJudgedBack - options.step;
  if (!group.done) {
    std::vector<std::string> names;
    for (GroupColumn& column : group.columns) {
      column.rate = {};
      names.push_back(column.name);
    }
    group.detector.reset();
    if (names.size() >= 2) {
      group.detector.emplace(
          std::move(names),
          ml::GroupParams{.seed = group_seed(configured[key.first].options.name, key.second)});
    }
  }
  task.columns = group.columns;
  task.detector = std::exchange(group.detector, std::nullopt);
  task.share = group.share;
  for (const SeriesId member : group.members) {
    if (const auto when = odd.find(member); when != odd.end()) {
      task.odd.emplace_back(member, when->second);
    }
  }
}

void GroupWatch::Impl::give_back(GroupJob& job) {
  for (GroupTask& task : job.tasks) {
    groups.at(task.key).detector = std::move(task.detector);
  }
}

runtime::Async<> GroupWatch::Impl::read_steps(Deadline deadline, std::shared_ptr<GroupJob> job) {
  const Timestamp oldest = job->until - std::chrono::microseconds(options.history);
  Timestamp from = job->until;
  std::set<SeriesId> series;
  for (const GroupTask& task : job->tasks) {
    from = std::min(from, std::max(groups.at(task.key).done.value_or(oldest), oldest));
    for (const GroupColumn& column : task.columns) {
      series.insert(column.series);
    }
  }
  std::vector<SeriesId> ids(series.begin(), series.end());
  Result<std::vector<storage::SampleStore::StepMeans>> steps = co_await deps.samples.step_means(
      deadline, kDefaultTenant, std::move(ids), from, job->until, options.step);
  if (!steps) {
    co_return std::move(steps).error();
  }
  std::map<SeriesId, const storage::SampleStore::StepMeans*> by_series;
  for (const storage::SampleStore::StepMeans& one : *steps) {
    by_series[one.series] = &one;
  }
  for (GroupTask& task : job->tasks) {
    for (const GroupColumn& column : task.columns) {
      if (const auto found = by_series.find(column.series); found != by_series.end()) {
        task.steps.push_back(*found->second);  // A copy: a series may be in several groups.
      }
    }
  }
  co_return Result<>{};
}

/// When series were anomalous, as far back as shares are told.
runtime::Async<> GroupWatch::Impl::read_odd(Deadline deadline, Timestamp until) {
  odd.clear();
  storage::AnomalyFilter filter;
  filter.from = until - kJudgedBack - kShareWindow;
  filter.limit = kAnomaliesPage;
  for (const auto& [key, group] : groups) {
    filter.from = std::min(*filter.from, group.done.value_or(until) - kShareWindow);
  }
  filter.from =
      std::max<Timestamp>(*filter.from, until - std::chrono::microseconds(options.history));
  bool more = true;
  for (std::size_t pages = 0; more && pages < kAnomalyPages; ++pages) {
    storage::AnomalyFilter asked = filter;
    Result<storage::Page<model::Anomaly>> page =
        co_await deps.analyses.anomalies(deadline, kDefaultTenant, std::move(asked));
    if (!page) {
      co_return std::move(page).error();
    }
    for (const model::Anomaly& anomaly : page->items) {
      odd.try_emplace(anomaly.series_id, anomaly.time);
    }
    filter.after = page->next;
    more = page->next.has_value();
  }
  co_return Result<>{};
}

void GroupWatch::Impl::take(GroupJob& job) {
  for (GroupTask& task : job.tasks) {
    Group& group = groups.at(task.key);
    group.columns = std::move(task.columns);
    group.detector = std::move(task.detector);
    group.share = std::move(task.share);
    if (!group.done) {
      group.learned_at = deps.clock.now();
      metrics.learned.inc();
    }
    group.done = job.until;
    const model::Labels labels = labels_of(task.key);
    const std::string share = model::encode_series_key(kAnomalousShareMetric, labels);
    const std::string score = model::encode_series_key(kGroupScoreMetric, labels);
    for (GroupRow& row : task.rows) {
      told.samples.append(share, row.time, row.share);
      told.samples.append(score, row.time, row.score);
      if (row.anomaly) {
        told.anomalies.emplace_back(task.key, std::move(*row.anomaly));
      }
    }
    metrics.rows.inc(static_cast<double>(task.rows.size()));
  }
}

runtime::Task GroupWatch::Impl::run(std::shared_ptr<Impl> self) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  self->stopping.emplace(executor);
  runtime::Backoff backoff({.first = 1s, .longest = 60s});
  while (!self->stopped && !self->configured.empty()) {
    const Result<> looked = co_await look(self);
    Duration pause = std::clamp(self->options.step, kLookEveryMin, kLookEveryMax);
    if (looked) {
      backoff.reset();
    } else if (!self->stopped) {
      pause = backoff.next();
      self->deps.log.throttled(
          telemetry::LogLevel::warning, "group_look",
          "groups of series were not looked at and will be again, nothing is lost; see the state "
          "of PostgreSQL and of "
          "the cpu pool",
          {{"error", to_string(looked.error().code)}, {"detail", looked.error().message}});
    }
    const Deadline until = Deadline::after(pause);
    static_cast<void>(co_await self->stopping->wait(until));
  }
}

GroupWatch::GroupWatch(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
GroupWatch::~GroupWatch() { stop(); }

Result<std::unique_ptr<GroupWatch>> GroupWatch::make(Deps deps, GroupWatchOptions options) {
  std::vector<Impl::Configured> configured;
  for (const GroupOptions& group : options.groups) {
    SENSUS_TRY_VOID(check_label(group.by));
    SENSUS_TRY_VOID(check_selector(group.selector));
    SENSUS_TRY(model::Selector selector, model::parse_selector(group.selector));
    configured.push_back({group, std::move(selector)});
  }
  auto impl = std::make_shared<Impl>(std::move(deps), std::move(options), std::move(configured));
  return std::unique_ptr<GroupWatch>(new GroupWatch(std::move(impl)));
}

runtime::Task GroupWatch::run() { return Impl::run(impl_); }
runtime::Async<> GroupWatch::look() { return Impl::look(impl_); }
void GroupWatch::stop() {
  impl_->stopped = true;
  if (impl_->stopping) {
    impl_->stopping->notify();
  }
}

}  // namespace sensus::analysis
