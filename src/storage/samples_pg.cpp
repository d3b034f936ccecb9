#include "sensus/storage/samples.hpp"

#include "storage/sample_layout_internal.hpp"
#include "storage/sql_internal.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace sensus::storage {
namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;

const std::string kSeriesColumns = "s.id, s.metric_name, s.labels, s.first_seen, s.last_seen";

const std::string kListSeries = "select " + kSeriesColumns +
                                " from sensus.series s where s.tenant_id = $1::int and s.id > "
                                "$2::int and ($3::text = '' or s.metric_name = $3) "
                                "and " +
                                matcher_condition("s.labels", 4) +
                                " order by s.id limit $8::bigint";
// Series that ended long before the window would use the limit up. last_seen follows in steps of
// minutes, so the hour is ample.
const std::string kRangeSeries =
    "select " + kSeriesColumns +
    " from sensus.series s where s.tenant_id = $1::int and s.metric_name = $2 "
    "and s.last_seen >= $3::timestamptz - interval '1 hour' and " +
    matcher_condition("s.labels", 4) + " order by s.id limit $8::bigint";
const std::string kSeriesById =
    "select " + kSeriesColumns +
    " from sensus.series s where s.tenant_id = $1::int and s.id = any($2::int[]) order by s.id";

/// The samples of some series in a window, each (series, time) once, the last write of it: $1
/// tenant, $2 series, $3 buckets, $4 from (inclusive), $5 to (exclusive). Partitions are chosen by
/// t_min (a row never spans a day), rows by bucket or series and t_max. What is in batch rows came
/// after what is in chunks, or is the same.
const std::string kWindow =
    "select distinct on (y.series, y.time) y.series, y.time, y.value from ("
    "select u.series, u.time, u.value, b.written_at, u.n from sensus.sample_batches b "
    "cross join lateral unnest(b.series_id, b.ts, b.value) with ordinality u(series, time, value, "
    "n) "
    "where b.tenant_id = $1::int and b.bucket = any($3::smallint[]) "
    "and b.t_min >= date_trunc('day', $4::timestamptz, 'UTC') and b.t_min < $5::timestamptz and "
    "b.t_max >= $4::timestamptz "
    "and u.series = any($2::int[]) and u.time >= $4::timestamptz and u.time < $5::timestamptz "
    "union all "
    "select c.series_id, d.time, u.value, '-infinity', u.n from sensus.sample_chunks c "
    "cross join lateral unnest(c.drift_us, c.value) with ordinality u(drift, value, n) "
    "cross join lateral (select sensus.chunk_time(c.t_min, c.step_us, u.drift, u.n) as time) d "
    "where c.tenant_id = $1::int and c.series_id = any($2::int[]) "
    "and c.t_min >= date_trunc('day', $4::timestamptz, 'UTC') and c.t_min < $5::timestamptz and "
    "c.t_max >= $4::timestamptz and d.time >= $4::timestamptz and d.time < $5::timestamptz"
    ") y order by y.series, y.time, y.written_at desc, y.n desc";

std::string steps_of_window(const std::string& aggregate, const std::string& origin,
                            const std::string& condition = {}) {
  return "select w.series, date_bin(make_interval(secs => $6::float8), w.time, " + origin +
         ") as step, " + aggregate + " from (" + kWindow + ") w " + condition +
         "group by 1, 2 order by 1, 2";
}

/// Steps that are made of whole slots of rollups. A day of a bucket is read from its rollups when
/// all of it is in chunks, else from batch rows and chunks. Parameters as of steps_of_window; $7
/// is where whole slots end: the rest up to $5 is read from samples.
std::string steps_of_rollups(const std::string& table, int slot_seconds,
                             const std::string& aggregate) {
  const std::string slot = "interval '" + std::to_string(slot_seconds) + " seconds'";
  const std::string batch_time =
      "b.tenant_id = $1::int and b.bucket = any($3::smallint[]) and b.t_min >= date_trunc('day', "
      "$4::timestamptz, 'UTC') and b.t_min < $5::timestamptz";
  const std::string rolled =
      "exists (select from sensus.sample_days d where d.tenant_id = $1::int and d.rolled_up and "
      "d.day = (x.t_min at time zone 'UTC')::date) and not exists (select from hot h where "
      "h.bucket = sensus.sample_bucket(x.series_id) and h.day = date_trunc('day', x.t_min, "
      "'UTC'))";
  return "with hot as materialized (select distinct b.bucket, date_trunc('day', b.t_min, 'UTC') "
         "as day from sensus.sample_batches b where " +
         batch_time +
         "), points as ("
         "select x.series_id as series, d.time, u.lowest, u.highest, u.total, u.samples, u.newest "
         "from " +
         table +
         " x cross join lateral unnest(x.slot, x.lowest, x.highest, x.total, x.samples, x.newest) "
         "u(slot, lowest, highest, total, samples, newest) "
         "cross join lateral (select x.t_min + u.slot * " +
         slot +
         " as time) d "
         "where x.tenant_id = $1::int and x.series_id = any($2::int[]) and x.t_min >= "
         "date_trunc('day', $4::timestamptz, 'UTC') and x.t_min < $7::timestamptz and d.time >= "
         "$4::timestamptz and d.time < $7::timestamptz and " +
         rolled +
         " union all select y.series, y.time, y.value, y.value, y.value, 1, y.value from ("
         "select distinct on (z.series, z.time) z.series, z.time, z.value from ("
         "select u.series, u.time, u.value, b.written_at, u.n from sensus.sample_batches b "
         "cross join lateral unnest(b.series_id, b.ts, b.value) with ordinality u(series, time, "
         "value, n) where " +
         batch_time +
         " and b.t_max >= $4::timestamptz and u.series = any($2::int[]) and u.time >= "
         "$4::timestamptz and u.time < $5::timestamptz "
         "union all "
         // The subquery is a fence: what is rolled up must be known before arrays are unpacked.
         "select x.series_id, d.time, u.value, '-infinity', u.n from (select x.*, " +
         rolled +
         " as rolled from sensus.sample_chunks x where x.tenant_id = $1::int and x.series_id = "
         "any($2::int[]) and x.t_min >= date_trunc('day', $4::timestamptz, 'UTC') and x.t_min < "
         "$5::timestamptz and x.t_max >= $4::timestamptz offset 0) x "
         "cross join lateral unnest(x.drift_us, x.value) with ordinality u(drift, value, n) "
         "cross join lateral (select sensus.chunk_time(x.t_min, x.step_us, u.drift, u.n) as time) "
         "d where (not x.rolled or x.t_max >= $7::timestamptz) and d.time >= $4::timestamptz and "
         "d.time < $5::timestamptz and (not x.rolled or d.time >= $7::timestamptz)"
         ") z order by z.series, z.time, z.written_at desc, z.n desc) y) "
         "select w.series, date_bin(make_interval(secs => $6::float8), w.time, $4::timestamptz) "
         "as step, " +
         aggregate + " from points w group by 1, 2 order by 1, 2";
}

// One statement an aggregation, made at start: no input is ever part of a statement.
const std::array<std::string, 4> kRange{
    steps_of_window("min(w.value)", "$4::timestamptz"),
    steps_of_window("max(w.value)", "$4::timestamptz"),
    steps_of_window("avg(w.value)", "$4::timestamptz"),
    steps_of_window("(array_agg(w.value order by w.time desc))[1]", "$4::timestamptz")};
const std::array<std::string, 4> kRollup5m{
    steps_of_rollups("sensus.rollups_5m", 300, "min(w.lowest)"),
    steps_of_rollups("sensus.rollups_5m", 300, "max(w.highest)"),
    steps_of_rollups("sensus.rollups_5m", 300, "sum(w.total) / sum(w.samples)"),
    steps_of_rollups("sensus.rollups_5m", 300, "(array_agg(w.newest order by w.time desc))[1]")};
const std::array<std::string, 4> kRollup1h{
    steps_of_rollups("sensus.rollups_1h", 3600, "min(w.lowest)"),
    steps_of_rollups("sensus.rollups_1h", 3600, "max(w.highest)"),
    steps_of_rollups("sensus.rollups_1h", 3600, "sum(w.total) / sum(w.samples)"),
    steps_of_rollups("sensus.rollups_1h", 3600, "(array_agg(w.newest order by w.time desc))[1]")};

// Analysis steps begin at multiples of the step since 1970. Detectors know finite numbers only; the
// window is cut first, so that a NaN that was overwritten does not come back.
const std::string kStepMeans =
    steps_of_window("avg(w.value)", "timestamptz '1970-01-01 00:00:00+00'",
                    "where w.value not in ('NaN', 'Infinity', '-Infinity') ");

/// The coarsest slots that the steps of the query are made of; nothing when only samples will do.
struct Resolution {
  const std::array<std::string, 4>* statements = nullptr;
  std::chrono::seconds slot{};
};

Resolution resolution_of(const RangeQuery& query) {
  for (const Resolution& resolution : {Resolution{&kRollup1h, std::chrono::hours{1}},
                                       Resolution{&kRollup5m, std::chrono::minutes{5}}}) {
    if (query.step % resolution.slot == 0ms &&
        query.from.time_since_epoch() % resolution.slot == std::chrono::microseconds{0}) {
      return resolution;
    }
  }
  return {&kRange, {}};
}

constexpr std::string_view kRecent =
    "select w.series, w.time, w.value from (select distinct on (y.series, y.time) y.series, "
    "y.time, y.value from ("
    "select u.series, u.time, u.value, b.written_at, u.n from sensus.sample_batches b "
    "cross join lateral unnest(b.series_id, b.ts, b.value) with ordinality u(series, time, value, "
    "n) "
    "where b.tenant_id = $1::int and b.bucket = any(select generate_series(0, $4::int - "
    "1)::smallint) "
    "and b.t_min >= date_trunc('day', $2::timestamptz, 'UTC') and b.t_max >= $2::timestamptz and "
    "b.t_min < $5::timestamptz and u.time >= $2::timestamptz and u.time < $5::timestamptz "
    "union all "
    "select c.series_id, d.time, u.value, '-infinity', u.n from sensus.sample_chunks c "
    "cross join lateral unnest(c.drift_us, c.value) with ordinality u(drift, value, n) "
    "cross join lateral (select sensus.chunk_time(c.t_min, c.step_us, u.drift, u.n) as time) d "
    "where c.tenant_id = $1::int and c.t_min >= date_trunc('day', $2::timestamptz, 'UTC') and "
    "c.t_max >= $2::timestamptz and c.t_min < $5::timestamptz and d.time >= $2::timestamptz and "
    "d.time < $5::timestamptz"
    ") y order by y.series, y.time, y.written_at desc, y.n desc) w order by w.time, w.series limit "
    "$3::bigint";

// The newest entry of each bucket's index and of each compacted day: no bucket has to be read.
constexpr std::string_view kCountActive =
    "select count(*) from sensus.series where tenant_id = $1::int and last_seen > now() - $2::int * "
    "interval '1 second'";
constexpr std::string_view kNewest =
    "select greatest((select max(x.t_max) from generate_series(0, $2::int - 1) g(bucket) cross "
    "join lateral (select b.t_max from sensus.sample_batches b "
    "where b.tenant_id = $1::int and b.bucket = g.bucket::smallint order by b.t_max desc limit 1) "
    "x), (select max(d.t_max) from sensus.sample_days d where d.tenant_id = $1::int))";

std::vector<SeriesInfo> read_series(const Rows& rows) {
  std::vector<SeriesInfo> series;
  series.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    series.push_back({static_cast<SeriesId>(rows.integer(i, 0)), std::string(rows.text(i, 1)),
                      read_labels(rows, i, 2), rows.time(i, 3), rows.time(i, 4)});
  }
  return series;
}

std::vector<SeriesInfo> load_series(Tx& tx, TenantId tenant, const SeriesQuery& query) {
  Params params;
  params.integer(tenant).integer(query.after).text(query.metric_name);
  add_matchers(params, query.matchers);
  return read_series(tx.exec(kListSeries, params.integer(static_cast<std::int64_t>(query.limit))));
}

std::vector<SeriesInfo> load_range_series(Tx& tx, TenantId tenant, const RangeQuery& query) {
  Params params;
  params.integer(tenant).text(query.metric_name).time(query.from);
  add_matchers(params, query.matchers);
  return read_series(
      tx.exec(kRangeSeries, params.integer(static_cast<std::int64_t>(query.series_max))));
}

Params window_params(TenantId tenant, const std::vector<SeriesId>& series, Timestamp from,
                     Timestamp to) {
  const std::vector<std::int64_t> ids(series.begin(), series.end());
  std::set<std::int64_t> buckets;
  for (const SeriesId id : series) {
    buckets.insert(bucket_of(id));
  }
  Params params;
  params.integer(tenant)
      .integers(ids)
      .integers({buckets.begin(), buckets.end()})
      .time(from)
      .time(to);
  return params;
}

/// Calls `append(series, sample)` for each row (series, time, value).
template <class Append>
void read_points(const Rows& rows, Append append) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    append(static_cast<SeriesId>(rows.integer(i, 0)),
           model::Sample{rows.time(i, 1), rows.number(i, 2)});
  }
}

Result<> check_range(const RangeQuery& query) {
  if (query.metric_name.empty()) {
    return make_error(Errc::invalid_input, "a metric name is needed", "metric_name");
  }
  if (query.from >= query.to) {
    return make_error(Errc::invalid_input, "from must be before to", "from");
  }
  if (query.step <= 0ms) {
    return make_error(Errc::invalid_input, "step must be longer than nothing", "step");
  }
  const auto steps =
      (query.to - query.from + query.step - std::chrono::microseconds{1}) / query.step;
  if (static_cast<std::size_t>(steps) > query.points_max) {
    return make_error(Errc::invalid_input,
                      "the window has " + std::to_string(steps) + " steps, at most " +
                          std::to_string(query.points_max) +
                          " are allowed: ask for a longer step or a shorter window",
                      "step");
  }
  return {};
}

Result<std::vector<RangeSeries>> load_range(Tx& tx, TenantId tenant, const RangeQuery& query) {
  std::vector<RangeSeries> found;
  std::vector<SeriesId> ids;
  for (SeriesInfo& series : load_range_series(tx, tenant, query)) {
    ids.push_back(series.id);
    found.push_back({std::move(series), {}});
  }
  if (ids.empty()) {
    return found;
  }
  Params params = window_params(tenant, ids, query.from, query.to);
  params.number(std::chrono::duration<double>(query.step).count());
  const Resolution resolution = resolution_of(query);
  if (resolution.slot > 0s) {
    params.time(query.to - query.to.time_since_epoch() % resolution.slot);
  }
  const std::string& statement =
      resolution.statements->at(static_cast<std::size_t>(query.aggregation));
  auto at = found.begin();  // Both run by ascending id.
  read_points(tx.exec(statement, params), [&](SeriesId id, model::Sample sample) {
    at = std::find_if(at, found.end(), [id](const RangeSeries& s) { return s.series.id == id; });
    at->points.push_back(sample);
  });
  return found;
}

class PgSampleStore final : public SampleStore {
 public:
  explicit PgSampleStore(pg::Database& database) : database_(database) {}

  runtime::Async<std::vector<SeriesInfo>> list_series(Deadline deadline, TenantId tenant,
                                                      SeriesQuery query) override {
    using Series = std::vector<SeriesInfo>;
    std::function<Result<Series>(Tx&)> job = [tenant, query](Tx& tx) -> Result<Series> {
      return load_series(tx, tenant, query);
    };
    auto series = co_await database_.transact<Series>(deadline, Access::read_only, std::move(job));
    co_return series;
  }

  runtime::Async<std::vector<SeriesInfo>> series_by_id(Deadline deadline, TenantId tenant,
                                                       std::vector<SeriesId> ids) override {
    using Series = std::vector<SeriesInfo>;
    std::function<Result<Series>(Tx&)> job = [tenant, ids](Tx& tx) -> Result<Series> {
      return read_series(
          tx.exec(kSeriesById, Params().integer(tenant).integers({ids.begin(), ids.end()})));
    };
    auto series = co_await database_.transact<Series>(deadline, Access::read_only, std::move(job));
    co_return series;
  }

  runtime::Async<std::vector<RangeSeries>> query_range(Deadline deadline, TenantId tenant,
                                                       RangeQuery query) override {
    using Ranges = std::vector<RangeSeries>;
    if (Result<> checked = check_range(query); !checked) {
      co_return checked.error();
    }
    std::function<Result<Ranges>(Tx&)> job = [tenant, query](Tx& tx) -> Result<Ranges> {
      return load_range(tx, tenant, query);
    };
    auto ranges = co_await database_.transact<Ranges>(deadline, Access::read_only, std::move(job));
    co_return ranges;
  }

  runtime::Async<std::vector<StepMeans>> step_means(Deadline deadline, TenantId tenant,
                                                    std::vector<SeriesId> ids, Timestamp from,
                                                    Timestamp to,
                                                    std::chrono::seconds step) override {
    using Means = std::vector<StepMeans>;
    std::function<Result<Means>(Tx&)> job = [=](Tx& tx) -> Result<Means> {
      Means means;
      if (ids.empty()) {
        return means;
      }
      Params params = window_params(tenant, ids, from, to);
      params.integer(step.count());
      read_points(tx.exec(kStepMeans, params), [&](SeriesId id, model::Sample sample) {
        if (means.empty() || means.back().series != id) {
          means.push_back({id, {}});
        }
        means.back().points.push_back(sample);
      });
      return means;
    };
    auto means = co_await database_.transact<Means>(deadline, Access::read_only, std::move(job));
    co_return means;
  }

  runtime::Async<std::vector<RawSample>> recent_samples(Deadline deadline, TenantId tenant,
                                                        Timestamp from, Timestamp to,
                                                        std::size_t limit) override {
    using Samples = std::vector<RawSample>;
    std::function<Result<Samples>(Tx&)> job = [tenant, from, to, limit](Tx& tx) -> Result<Samples> {
      Samples samples;
      Params params;
      params.integer(tenant).time(from).integer(static_cast<std::int64_t>(limit));
      params.integer(kBuckets).time(to);
      read_points(tx.exec(kRecent, params), [&](SeriesId id, model::Sample sample) {
        samples.push_back({id, sample});
      });
      return samples;
    };
    auto samples =
        co_await database_.transact<Samples>(deadline, Access::read_only, std::move(job));
    co_return samples;
  }

  runtime::Async<std::optional<Timestamp>> newest_sample(Deadline deadline,
                                                         TenantId tenant) override {
    using Newest = std::optional<Timestamp>;
    std::function<Result<Newest>(Tx&)> job = [tenant](Tx& tx) -> Result<Newest> {
      return tx.exec(kNewest, Params().integer(tenant).integer(kBuckets)).time_or_null(0, 0);
    };
    auto newest = co_await database_.transact<Newest>(deadline, Access::read_only, std::move(job));
    co_return newest;
  }

  runtime::Async<std::size_t> count_active_series(Deadline deadline, TenantId tenant,
                                                  std::chrono::seconds age) override {
    std::function<Result<std::size_t>(Tx&)> job = [tenant, age](Tx& tx) -> Result<std::size_t> {
      const Params params = Params().integer(tenant).integer(age.count());
      return static_cast<std::size_t>(tx.exec(kCountActive, params).integer(0, 0));
    };
    auto count =
        co_await database_.transact<std::size_t>(deadline, Access::read_only, std::move(job));
    co_return count;
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<SampleStore> make_sample_store(pg::Database& database) {
  return std::make_unique<PgSampleStore>(database);
}

}  // namespace sensus::storage
