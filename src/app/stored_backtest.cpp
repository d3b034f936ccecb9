#include "stored_backtest_internal.hpp"

#include "sensus/model/metadata.hpp"
#include "sensus/model/selector.hpp"
#include "sensus/model/series_text.hpp"
#include "sensus/pg/database.hpp"
#include "sensus/runtime/runtime.hpp"
#include "sensus/storage/metadata.hpp"
#include "sensus/storage/samples.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <utility>
#include <vector>

namespace sensus::app {
namespace {

constexpr std::size_t kSeriesMax = 20;
constexpr std::size_t kPage = 1000;
constexpr std::int64_t kStepsAtOnce = 10'000;  ///< A week of minutes: a few hundred KiB.
constexpr std::chrono::minutes kQueryLimit{5};
/// `last_seen` of a series may be older than its newest samples by less than this.
constexpr std::chrono::hours kSeenLag{1};

Error wrong(std::string message) { return make_error(Errc::invalid_input, std::move(message)); }

struct Span {
  model::Selector selector;
  Timestamp from;
  Timestamp to;
  std::chrono::seconds step{60};
};

Timestamp floor_to(Timestamp time, std::chrono::seconds step) {
  const std::int64_t step_us = std::chrono::microseconds(step).count();
  const std::int64_t us = to_unix_us(time);
  return from_unix_us(us - ((us % step_us) + step_us) % step_us);
}

Result<Timestamp> time_of(const char* flag, const std::string& text) {
  const std::optional<Timestamp> time = parse_backtest_time(text);
  return time ? Result<Timestamp>(*time) : wrong(std::string(flag) + " is not a time: " + text);
}

Result<Span> parse_span(const BacktestOptions& options) {
  Span span;
  auto selector = model::parse_selector(options.series);
  if (!selector) {
    return wrong("--series: " + selector.error().message);
  }
  span.selector = std::move(*selector);
  const Result<std::chrono::milliseconds> step = parse_duration(options.step);
  if (!step || *step < 1s || *step > 24h || *step % 1s != 0ms) {
    return wrong("--step is 1s to 1d in whole seconds, not " + options.step);
  }
  span.step = std::chrono::duration_cast<std::chrono::seconds>(*step);
  SENSUS_TRY(const Timestamp from, time_of("--from", options.from));
  SENSUS_TRY(const Timestamp to, time_of("--to", options.to));
  // Whole steps alone: half of one is not what the analysis sees.
  span.from = floor_to(from, span.step);
  span.to = floor_to(to, span.step);
  if (span.from >= span.to) {
    return wrong("--from must be a step or more before --to");
  }
  return span;
}

std::string digits(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

bool is_counter(const std::string& metric, const storage::MetadataStore::ByMetric& metadata) {
  const auto said = metadata.find(metric);
  const model::ValueKind kind = said == metadata.end()
                                    ? model::ValueKind::unknown
                                    : model::value_kind(metric, said->second.type);
  return kind == model::ValueKind::unknown ? model::is_counter_name(metric)
                                           : kind == model::ValueKind::cumulative;
}

/// One run. Used on the reactor only.
class StoredBacktest {
 public:
  StoredBacktest(const BacktestOptions& options, Span span, pg::Database& database)
      : options_(options),
        span_(std::move(span)),
        samples_(storage::make_sample_store(database)),
        metadata_(storage::make_metadata_store(database)) {}

  /// `done` is there when this returns.
  runtime::Task run(Result<>& done) {
    Result<> outcome = co_await run();
    done = std::move(outcome);
  }

 private:
  runtime::Async<> run() {
    Result<std::vector<storage::SeriesInfo>> series = co_await find();
    if (!series) {
      co_return std::move(series).error();
    }
    std::vector<std::string> names;
    for (const storage::SeriesInfo& one : *series) {
      names.push_back(one.metric_name);
    }
    const Deadline limit = Deadline::after(kQueryLimit);
    Result<storage::MetadataStore::ByMetric> metadata =
        co_await metadata_->of_metrics(limit, kDefaultTenant, std::move(names));
    if (!metadata) {
      co_return std::move(metadata).error();
    }
    std::ofstream out(options_.output, std::ios::trunc);
    out << (series->size() > 1 ? "series," : "") << kBacktestColumns << '\n';
    for (const storage::SeriesInfo& one : *series) {
      const bool counts = is_counter(one.metric_name, *metadata);
      Result<> replayed = co_await replay(one, series->size() > 1, counts, out);
      if (!replayed) {
        co_return std::move(replayed).error();
      }
    }
    out.flush();
    if (!out) {
      co_return make_error(Errc::unavailable, "cannot write " + options_.output);
    }
    co_return options_.plot.empty() ? Result<>() : write_backtest_plots(plots_, options_.plot);
  }

  /// Those that were still seen in the span, by id.
  runtime::Async<std::vector<storage::SeriesInfo>> find() {
    std::vector<storage::SeriesInfo> found;
    SeriesId after = 0;
    for (bool more = true; more;) {
      storage::SeriesQuery query;
      query.selector = span_.selector;
      query.limit = kPage;
      query.after = after;
      const Deadline limit = Deadline::after(kQueryLimit);
      Result<std::vector<storage::SeriesInfo>> page =
          co_await samples_->list_series(limit, kDefaultTenant, std::move(query));
      if (!page) {
        co_return std::move(page).error();
      }
      more = page->size() == kPage;
      after = page->empty() ? after : page->back().id;
      std::erase_if(*page, [this](const storage::SeriesInfo& one) {
        return one.last_seen + kSeenLag < span_.from;
      });
      std::ranges::move(*page, std::back_inserter(found));
      if (found.size() > kSeriesMax) {
        co_return wrong("--series selects more than " + std::to_string(kSeriesMax) +
                        " series of that time: name fewer");
      }
    }
    if (found.empty()) {
      co_return wrong("--series selects no series that was seen since --from");
    }
    co_return found;
  }

  runtime::Async<> replay(storage::SeriesInfo series, bool is_named, bool is_counter,
                          std::ofstream& out) {
    const std::string title = model::render_series_text(series.metric_name, series.labels);
    Result<std::unique_ptr<ml::Detector>> detector = make_backtest_detector(options_);
    if (!detector) {
      co_return std::move(detector).error();
    }
    SeriesBacktest test(std::move(*detector), is_named ? quote_csv(title) + "," : std::string(),
                        is_counter);
    for (Timestamp from = span_.from; from < span_.to; from += kStepsAtOnce * span_.step) {
      const Timestamp to = std::min<Timestamp>(from + kStepsAtOnce * span_.step, span_.to);
      std::vector<SeriesId> ids(1, series.id);
      const Deadline limit = Deadline::after(kQueryLimit);
      Result<std::vector<storage::SampleStore::StepMeans>> means = co_await samples_->step_means(
          limit, kDefaultTenant, std::move(ids), from, to, span_.step);
      if (!means) {
        co_return std::move(means).error();
      }
      for (const storage::SampleStore::StepMeans& one : *means) {
        for (const model::Sample& step : one.points) {
          out << test.score(step);
        }
      }
    }
    std::printf("%s%s: %s\n", title.c_str(), is_counter ? ", as a rate" : "",
                test.summary().c_str());
    if (!options_.plot.empty()) {
      plots_.push_back({title + (is_counter ? " per second" : ""), test.plot()});
    }
    co_return Result<>{};
  }

  const BacktestOptions& options_;
  Span span_;
  std::unique_ptr<storage::SampleStore> samples_;
  std::unique_ptr<storage::MetadataStore> metadata_;
  std::vector<TitledPlot> plots_;
};

}  // namespace

SeriesBacktest::SeriesBacktest(std::unique_ptr<ml::Detector> detector, std::string first_field,
                               bool is_counter)
    : detector_(std::move(detector)), first_field_(std::move(first_field)) {
  if (is_counter) {
    rate_.emplace();
  }
}

std::string SeriesBacktest::score(const model::Sample& step) {
  const std::optional<double> value =
      rate_ ? rate_->update(step.time, step.value) : std::optional(step.value);
  if (!value) {
    return {};
  }
  const ml::Verdict verdict = detector_->update(step.time, *value);
  ++steps_;
  notable_ += verdict.tier == ml::Tier::notable ? 1 : 0;
  alerting_ += verdict.tier == ml::Tier::alerting ? 1 : 0;
  plot_.add(step.time, *value, verdict);
  return first_field_ + render_backtest_row(render_rfc3339(step.time), digits(*value), verdict);
}

std::string SeriesBacktest::summary() const {
  return std::to_string(steps_) + " steps, " + std::to_string(notable_) + " notable, " +
         std::to_string(alerting_) + " alerting";
}

std::string quote_csv(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string out = "\"";
  for (const char c : text) {
    out.append(c == '"' ? 2 : 1, c);
  }
  return out + '"';
}

Result<> run_stored_backtest(const BacktestOptions& options, pg::Options database) {
  SENSUS_TRY(Span span, parse_span(options));
  SENSUS_TRY_VOID(make_backtest_detector(options));
  if (!std::ofstream(options.output, std::ios::app)) {
    return make_error(Errc::unavailable, "cannot write " + options.output);
  }
  database.sessions = 1;
  database.statement_timeout = kQueryLimit;
  telemetry::Metrics metrics;
  runtime::Runtime reactor;
  pg::Database sessions(reactor.executor(), std::move(database), telemetry::Log(), metrics);
  StoredBacktest test(options, std::move(span), sessions);
  Result<> done;
  reactor.run_until_done(test.run(done));
  sessions.close_blocking();
  return done;
}

}  // namespace sensus::app
