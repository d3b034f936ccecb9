#include "sensus/analysis/limit_watch.hpp"

#include "digits_internal.hpp"

#include "sensus/runtime/signal.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <optional>
#include <set>

namespace sensus::analysis {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kFirstLook{60};
constexpr std::chrono::seconds kAskLimit{20};
constexpr std::size_t kPage = 500;
constexpr int kForecastPoints = 100;

model::Labels labels_of(const model::SeriesForecast& series, const Rules::Limit& limit) {
  model::Labels labels = series.labels;
  if (labels.find("severity") == nullptr) {
    labels.set("severity", "warning");
  }
  labels.set("alertname", kLimitAlertName);
  labels.set("metric", series.metric_name);
  labels.set("limit", short_digits(limit.value));
  return labels;
}

model::Labels annotations_of(const model::SeriesForecast& series, const Rules::Limit& limit) {
  model::Labels annotations;
  const std::string at = render_rfc3339(std::chrono::floor<std::chrono::minutes>(*series.limit_at));
  annotations.set("summary", series.metric_name + " is expected to reach " + short_digits(limit.value) + " at " + at);
  annotations.set("limit_at", at);
  if (series.limit_earliest) {
    annotations.set("limit_earliest", render_rfc3339(std::chrono::floor<std::chrono::minutes>(*series.limit_earliest)));
  }
  if (series.limit_latest) {
    annotations.set("limit_latest", render_rfc3339(std::chrono::floor<std::chrono::minutes>(*series.limit_latest)));
  }
  return annotations;
}

}  // namespace

/// Members are used on the reactor only; coroutines hold it by shared_ptr because the watch may be destroyed while they wait.
struct LimitWatch::Impl {
  using Self = std::shared_ptr<Impl>;
  /// What one look finds. What fires and is not going on has ended, when all could be judged.
  struct Look {
    Timestamp now;
    std::vector<model::Episode> firing;
    std::set<EpisodeId> going_on;
    model::AlertBatch batch;
  };

  Impl(Deps d, Rules r)
      : deps(std::move(d)),
        rules(std::move(r)),
        alerts(deps.metrics.gauge("sensus_analysis_limit_alerts", "Alerts SensusLimitForecast that fire, at the last look of this replica.")),
        left_out(deps.metrics.gauge("sensus_analysis_limit_series_left_out", "Rules with a limit that match more than 200 series: the rest is not looked at.")),
        failures(deps.metrics.counter("sensus_analysis_limit_failures_total", "Looks at limits that failed in part; the next is in ten minutes.")) {}

  static runtime::Task run(Self self);
  static runtime::Async<> look(Self self);
  static runtime::Async<> load_firing(Self self, Look& look);
  static runtime::Async<std::vector<SeriesId>> series_of(Self self, Rules::Limit limit);
  static runtime::Async<> judge_all(Self self, Look& look);
  static runtime::Async<> judge(Self self, Rules::Limit limit, SeriesId series, Look& look);
  void take(const model::SeriesForecast& series, const Rules::Limit& limit, Look& look) const;
  void tell_failure(const Error& error) const;

  Deps deps;
  Rules rules;
  telemetry::Gauge alerts;
  telemetry::Gauge left_out;
  telemetry::Counter failures;
  std::size_t beyond = 0;
  std::optional<runtime::Signal> stopping;
  bool stopped = false;
};

runtime::Async<> LimitWatch::Impl::load_firing(Self self, Look& look) {
  storage::AlertFilter filter;
  filter.alert_name = kLimitAlertName;
  filter.status = model::AlertStatus::firing;
  filter.limit = kPage;
  for (;;) {
    const Deadline deadline = Deadline::after(kAskLimit);
    storage::AlertFilter page_filter = filter;
    const Result<storage::Page<model::Episode>> page = co_await self->deps.alerts.list(deadline, kDefaultTenant, std::move(page_filter));
    if (!page) {
      co_return page.error();
    }
    look.firing.insert(look.firing.end(), page->items.begin(), page->items.end());
    if (!page->next) {
      co_return Result<>{};
    }
    filter.after = page->next;
  }
}

/// Those whose rule it is.
runtime::Async<std::vector<SeriesId>> LimitWatch::Impl::series_of(Self self, Rules::Limit limit) {
  const Deadline deadline = Deadline::after(kAskLimit);
  storage::SeriesQuery query;
  query.selector = self->rules.selectors()[limit.rule];
  query.limit = kSeriesMax + 1;
  const Result<std::vector<storage::SeriesInfo>> listed = co_await self->deps.samples.list_series(deadline, kDefaultTenant, std::move(query));
  if (!listed) {
    co_return listed.error();
  }
  self->beyond += listed->size() > kSeriesMax ? 1 : 0;
  std::vector<SeriesId> ids;
  for (std::size_t i = 0; i < std::min(listed->size(), kSeriesMax); ++i) {
    ids.push_back((*listed)[i].id);
  }
  std::vector<model::Selector> selectors = self->rules.selectors();
  const Result<std::vector<storage::SeriesMatch>> matches =
      co_await self->deps.samples.match_series(deadline, kDefaultTenant, std::move(ids), std::move(selectors));
  if (!matches) {
    co_return matches.error();
  }
  std::vector<SeriesId> own;
  for (const storage::SeriesMatch& match : *matches) {
    if (match.selector == limit.rule) {
      own.push_back(match.series.id);
    }
  }
  co_return own;
}

void LimitWatch::Impl::take(const model::SeriesForecast& series, const Rules::Limit& limit, Look& look) const {
  if (series.status != model::SeriesForecast::Status::ok || !series.limit_at) {
    return;
  }
  model::Labels labels = labels_of(series, limit);
  const auto fires = std::ranges::find(look.firing, labels, &model::Episode::labels);
  const bool is_firing = fires != look.firing.end();
  const auto within = is_firing ? limit.within * 5 / 4 : limit.within;
  if (*series.limit_at > look.now + within) {
    return;
  }
  model::AlertArrival arrival;
  arrival.labels = std::move(labels);
  arrival.annotations = annotations_of(series, limit);
  arrival.starts_at = is_firing ? fires->starts_at : look.now;
  look.batch.arrivals.push_back(std::move(arrival));
  if (is_firing) {
    look.going_on.insert(fires->id);
  }
}

runtime::Async<> LimitWatch::Impl::judge(Self self, Rules::Limit limit, SeriesId series, Look& look) {
  model::ForecastQuery query;
  query.series = series;
  query.horizon = std::min(limit.within * 5 / 4, model::kForecastHorizonMax);
  query.step = std::max<std::chrono::seconds>(query.horizon / kForecastPoints, model::kForecastStepMin);
  query.limit = limit.value;
  query.is_limit_below = limit.is_below;
  const Deadline deadline = Deadline::after(kAskLimit);
  const Result<std::vector<model::SeriesForecast>> made = co_await self->deps.forecast(deadline, kDefaultTenant, std::move(query));
  if (!made && made.error().code != Errc::not_found) {
    co_return made.error();
  }
  if (made && !made->empty()) {
    self->take(made->front(), limit, look);
  }
  co_return Result<>{};
}

/// On an error what was not judged is left as it is.
runtime::Async<> LimitWatch::Impl::judge_all(Self self, Look& look) {
  self->beyond = 0;
  for (const Rules::Limit& limit : self->rules.limits()) {
    const Result<std::vector<SeriesId>> series = co_await series_of(self, limit);
    if (!series) {
      co_return series.error();
    }
    for (const SeriesId one : *series) {
      Result<> judged = co_await judge(self, limit, one, look);
      if (!judged) {
        co_return judged;
      }
    }
  }
  co_return Result<>{};
}

runtime::Async<> LimitWatch::Impl::look(Self self) {
  Look look;
  look.now = std::chrono::floor<std::chrono::seconds>(self->deps.clock.now());
  Result<> loaded = co_await load_firing(self, look);
  if (!loaded) {
    co_return loaded;
  }
  const Result<> trouble = co_await judge_all(self, look);
  self->left_out.set(static_cast<double>(self->beyond));
  const std::size_t firing = look.batch.arrivals.size();
  for (const model::Episode& episode : look.firing) {
    if (trouble && !look.going_on.contains(episode.id)) {
      model::AlertArrival ended;
      ended.status = model::AlertStatus::resolved;
      ended.labels = episode.labels;
      ended.annotations = episode.annotations;
      ended.starts_at = episode.starts_at;
      ended.ends_at = std::max(look.now, episode.starts_at);
      look.batch.arrivals.push_back(std::move(ended));
    }
  }
  if (!look.batch.arrivals.empty()) {
    const Deadline deadline = Deadline::after(kAskLimit);
    const Result<std::vector<storage::AlertOutcome>> told = co_await self->deps.accept(deadline, kDefaultTenant, std::move(look.batch));
    if (!told) {
      co_return told.error();
    }
  }
  self->alerts.set(static_cast<double>(firing));
  co_return trouble;
}

void LimitWatch::Impl::tell_failure(const Error& error) const {
  failures.inc();
  deps.log.throttled(telemetry::LogLevel::warning, "limit_watch",
                     "limits of analysis.rules were not looked at in full; their alerts stay as they are until the next look; see the state of "
                     "PostgreSQL",
                     {{"error", to_string(error.code)}, {"detail", error.message}});
}

runtime::Task LimitWatch::Impl::run(Self self) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  self->stopping.emplace(executor);
  Duration pause = kFirstLook;
  while (!self->stopped) {
    const Deadline next = Deadline::after(pause);
    static_cast<void>(co_await self->stopping->wait(next));
    pause = kLookEvery;
    if (self->stopped) {
      co_return;
    }
    if (self->deps.holds && !self->deps.holds()) {
      continue;
    }
    const Result<> looked = co_await look(self);
    if (!looked) {
      self->tell_failure(looked.error());
    }
  }
}

LimitWatch::LimitWatch(Deps deps, Rules rules) : impl_(std::make_shared<Impl>(std::move(deps), std::move(rules))) {}
LimitWatch::~LimitWatch() { stop(); }
runtime::Task LimitWatch::run() { return Impl::run(impl_); }
runtime::Async<> LimitWatch::look() { return Impl::look(impl_); }
void LimitWatch::stop() {
  impl_->stopped = true;
  if (impl_->stopping) {
    impl_->stopping->notify();
  }
}

}  // namespace sensus::analysis
