#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/model/event.hpp"
#include "sensus/model/labels.hpp"
#include "sensus/model/sample.hpp"
#include "sensus/model/selector.hpp"
#include "sensus/pg/database.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sensus::storage {

struct SampleRow {
  /// Positive: a known series. Negative: -(index + 1) into SampleFlush::new_series.
  std::int32_t series = 0;
  Timestamp time;
  double value = 0;
};

/// A series that its sender says has ended. One that is not there is passed over, never created.
struct SeriesEnd {
  std::string key;  ///< Canonical (model::encode_series_key).
  Timestamp time;
};

/// What one group commit writes, in one transaction.
struct SampleFlush {
  TenantId tenant = kDefaultTenant;
  std::vector<std::string> new_series;  ///< Canonical keys (model::encode_series_key), unique.
  std::vector<SampleRow> rows;
  std::vector<model::NewEvent> events;
  /// How many of new_series may be created; those that exist are found whatever this says.
  std::size_t create_max = std::numeric_limits<std::size_t>::max();
  std::vector<SeriesId> touch;  ///< Series in use whose last_seen shall become now().
  std::vector<SeriesEnd> ends;
  /// The newest samples of series that may have ended: they go on if these are later than their end. Of new_series the writer
  /// finds that out, but for those that end in this flush.
  struct Resumed {
    std::int32_t series = 0;  ///< As SampleRow::series.
    Timestamp newest;
  };
  std::vector<Resumed> resumed;
};

struct FlushResult {
  /// Ids, in the order of SampleFlush::new_series; 0 = not created because of create_max, and its rows were not stored.
  std::vector<SeriesId> new_series;
  /// How old last_seen was found, in seconds; in the order of new_series, or empty for none.
  std::vector<std::uint32_t> unseen_s;
  std::size_t created = 0;
  /// Those of SampleFlush::touch that exist, sorted. nullopt: the touch failed, which is no failure of the flush.
  std::optional<std::vector<SeriesId>> touched = std::vector<SeriesId>{};
  std::vector<SeriesId> ended;  ///< Of all that the flush names, ends or resumes: those that have ended now. Sorted.
};

/// `last_seen` of a series is when its samples last arrived, to within some fifteen minutes. Rows that a flush names as new
/// have it younger than kSeenFresh after the flush, or were younger when they were read; ingest::SeriesCache relies on that, and
/// whoever removes series relies on the rule written there: only rows with last_seen older than 25 hours.
inline constexpr std::chrono::minutes kSeenFresh{20};

/// The one writer of samples: COPY BINARY through libpq on its own session, opened lazily and reopened after a loss.
/// **Threading**: one thread, the ingest writer's. **Errors**: as pg::Database; after an error nothing was committed, except in_doubt.
class SampleWriter {
 public:
  virtual ~SampleWriter() = default;
  [[nodiscard]] virtual Result<FlushResult> write_blocking(Deadline deadline, const SampleFlush& flush) = 0;
  /// Any thread: makes a running write fail with `timeout`.
  virtual void cancel() = 0;
};
[[nodiscard]] std::unique_ptr<SampleWriter> make_sample_writer(pg::Options options, telemetry::Log log,
                                                               telemetry::Metrics& metrics);

struct SeriesInfo {
  SeriesId id = 0;
  std::string metric_name;
  model::Labels labels;
  Timestamp first_seen;
  Timestamp last_seen;
  std::optional<Timestamp> ended_at = std::nullopt;  ///< Its sender said so, and no later sample came since.
};

/// A series and which of some selectors is the first that matches it.
struct SeriesMatch {
  SeriesInfo series;
  std::optional<std::size_t> selector;
};

struct SeriesQuery {
  std::string metric_name;  ///< Empty = any.
  std::vector<model::Matcher> matchers;
  model::Selector selector;  ///< All of it must match, beside the two above.
  std::size_t limit = 100;
  SeriesId after = 0;       ///< Keyset: ids greater than this.
};

/// How the samples of a step become one point. NaN is no value: a step with nothing else has no point.
enum class Aggregation {
  min,
  max,
  avg,
  last,
  sum,    ///< Infinite where it is beyond a double.
  count,
  rate,   ///< A second, as Prometheus' rate() over the step: counter resets handled, two samples needed. Of a group: the sum.
  p50,    ///< Quantiles between neighbours in proportion.
  p95,
  p99,
};

struct RangeQuery {
  std::string metric_name;
  std::vector<model::Matcher> matchers;
  model::Selector selector;  ///< All of it must match, beside the two above. One matcher must refuse the empty value.
  Timestamp from;            ///< Inclusive.
  Timestamp to;              ///< Exclusive.
  std::chrono::milliseconds step{60'000};
  Aggregation aggregation = Aggregation::avg;
  /// Labels by whose values series become groups; the samples of a group are taken together. Without it every series stands alone.
  std::optional<std::vector<std::string>> by;
  std::size_t series_max = 100;  ///< The first so many by id. With groups, more than this is invalid_input.
  std::size_t points_max = 11'000;        ///< A series; more steps than this is invalid_input.
  std::size_t points_total_max = 1'000'000;  ///< Of all groups together; more is invalid_input.
  std::size_t samples_max = 10'000'000;   ///< Read one by one; more is invalid_input.
};

struct RangeSeries {
  SeriesInfo series;                  ///< Of a group: the labels it goes by, and id 0.
  std::vector<model::Sample> points;  ///< One a step that has samples; time = start of the step; steps begin at `from`.
  std::size_t members = 1;            ///< Series in the group.
};

/// Every sample of some series.
struct SamplesQuery {
  model::Selector selector;  ///< As in RangeQuery.
  Timestamp from;            ///< Inclusive.
  Timestamp to;              ///< Exclusive.
  std::size_t series_max = 10'000;      ///< More is invalid_input.
  std::size_t samples_max = 5'000'000;  ///< More is invalid_input.
};

/// Reads of samples. **Threading**: reactor. Duplicate (series, time): the last write wins.
class SampleStore {
 public:
  virtual ~SampleStore() = default;
  [[nodiscard]] virtual runtime::Async<std::vector<SeriesInfo>> list_series(Deadline deadline, TenantId tenant, SeriesQuery query) = 0;
  [[nodiscard]] virtual runtime::Async<std::vector<SeriesInfo>> series_by_id(Deadline deadline, TenantId tenant, std::vector<SeriesId> ids) = 0;
  /// Of those of the series that exist, by id.
  [[nodiscard]] virtual runtime::Async<std::vector<SeriesMatch>> match_series(Deadline deadline, TenantId tenant, std::vector<SeriesId> ids,
                                                                              std::vector<model::Selector> selectors) = 0;
  /// The first series_max series by id, of those that had samples since an hour before `from`; one without samples in the window
  /// comes without points, so that as many series as series_max tell of more.
  [[nodiscard]] virtual runtime::Async<std::vector<RangeSeries>> query_range(Deadline deadline, TenantId tenant, RangeQuery query) = 0;
  /// Series that have samples in the window, with these as points, ascending.
  [[nodiscard]] virtual runtime::Async<std::vector<RangeSeries>> read_samples(Deadline deadline, TenantId tenant, SamplesQuery query) = 0;
  /// Step means of one or more series in [from, to), oldest first: what detectors learn from; of a counter by its name, the last value of
  /// each step, as ingest has it. Steps begin at multiples of `step` since 1970.
  struct StepMeans {
    SeriesId series = 0;
    std::vector<model::Sample> points;
  };
  [[nodiscard]] virtual runtime::Async<std::vector<StepMeans>> step_means(Deadline deadline, TenantId tenant, std::vector<SeriesId> ids,
                                                                         Timestamp from, Timestamp to, std::chrono::seconds step) = 0;
  /// Raw samples in [from, to), any series, oldest first, at most `limit`: to rebuild open steps after a crash. Costs what the whole
  /// window holds, so ask for short ones.
  struct RawSample {
    SeriesId series = 0;
    model::Sample sample;
    bool is_counter = false;  ///< By the name of its series.
  };
  [[nodiscard]] virtual runtime::Async<std::vector<RawSample>> recent_samples(Deadline deadline, TenantId tenant, Timestamp from, Timestamp to,
                                                                             std::size_t limit) = 0;
  /// Time of the newest stored sample that is not after `last`: what lies ahead of the clock must not hide what does not.
  [[nodiscard]] virtual runtime::Async<std::optional<Timestamp>> newest_sample(Deadline deadline, TenantId tenant, Timestamp last) = 0;
  /// Those of `ids` that have ended, ascending: no sample of them is to be expected.
  [[nodiscard]] virtual runtime::Async<std::vector<SeriesId>> ended(Deadline deadline, TenantId tenant, std::vector<SeriesId> ids) = 0;
  /// Series whose samples last arrived within `age`. Reads the whole table of series.
  [[nodiscard]] virtual runtime::Async<std::size_t> count_active_series(Deadline deadline, TenantId tenant, std::chrono::seconds age) = 0;
};
[[nodiscard]] std::unique_ptr<SampleStore> make_sample_store(pg::Database& database);

/// `invalid_input` when it holds a regular expression that PostgreSQL could not be asked (ADR 0020). Pure.
[[nodiscard]] Result<> check_selector(const model::Selector& selector);

}  // namespace sensus::storage
