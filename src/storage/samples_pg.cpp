#include "sensus/storage/samples.hpp"

#include "storage/sample_layout_internal.hpp"
#include "storage/sample_reader_internal.hpp"
#include "storage/series_finder_internal.hpp"
#include "storage/sql_internal.hpp"
#include "storage/step_means_internal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace sensus::storage {
namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;

constexpr std::size_t kQuantileSamplesMax =
    2'500'000;  ///< They are held until the last one is read.

constexpr std::string_view kSeriesById =
    "select s.id, s.metric_name, s.labels, s.first_seen, s.last_seen, s.ended_at from sensus.series s where "
    "s.tenant_id = $1::int and s.id = "
    "any($2::int[]) order by s.id";
constexpr std::string_view kEnded =
    "select id from sensus.series where tenant_id = $1::int and id = any($2::int[]) and ended_at is "
    "not null order by id";

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
// A row that reaches beyond the bound is looked into, since its earlier samples count.
constexpr std::string_view kNewest =
    "select greatest((select max(x.t_max) from generate_series(0, $2::int - 1) g(bucket) cross "
    "join lateral (select b.t_max from sensus.sample_batches b "
    "where b.tenant_id = $1::int and b.bucket = g.bucket::smallint and b.t_max <= $3::timestamptz "
    "order by b.t_max desc limit 1) x), "
    "(select max(u.time) from sensus.sample_batches b cross join lateral unnest(b.ts) u(time) "
    "where b.tenant_id = $1::int and b.bucket = any(select generate_series(0, $2::int - 1)::smallint) "
    "and b.t_max > $3::timestamptz and b.t_min <= $3::timestamptz and b.t_min >= "
    "date_trunc('day', $3::timestamptz, 'UTC') and u.time <= $3::timestamptz), "
    "(select max(d.t_max) from sensus.sample_days d where d.tenant_id = $1::int and d.t_max <= $3::timestamptz))";

/// Calls `append(series, sample)` for each row (series, time, value).
template <class Append>
void read_points(const Rows& rows, Append append) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    append(static_cast<SeriesId>(rows.integer(i, 0)),
           model::Sample{rows.time(i, 1), rows.number(i, 2)});
  }
}

std::size_t steps_in(Timestamp from, Timestamp to, std::chrono::milliseconds step) {
  return static_cast<std::size_t>((to - from + step - std::chrono::microseconds{1}) / step);
}

Result<> check_range(const RangeQuery& query) {
  if (query.metric_name.empty() && query.selector.empty()) {
    return make_error(Errc::invalid_input, "a metric name is needed", "metric_name");
  }
  if (query.from >= query.to) {
    return make_error(Errc::invalid_input, "from must be before to", "from");
  }
  if (query.step <= 0ms) {
    return make_error(Errc::invalid_input, "step must be longer than nothing", "step");
  }
  if (const std::size_t steps = steps_in(query.from, query.to, query.step);
      steps > query.points_max) {
    return make_error(Errc::invalid_input,
                      "the window has " + std::to_string(steps) + " steps, at most " +
                          std::to_string(query.points_max) +
                          " are allowed: ask for a longer step or a shorter window",
                      "step");
  }
  return {};
}

/// The coarsest slots that the steps of the query are made of; zero when only samples will do.
std::chrono::seconds slot_of(const RangeQuery& query) {
  for (const std::chrono::seconds slot : {std::chrono::seconds{3600}, std::chrono::seconds{300}}) {
    if (StepFold::takes_slots(query.aggregation) && query.step % slot == 0ms &&
        query.from.time_since_epoch() % slot == std::chrono::microseconds{0}) {
      return slot;
    }
  }
  return 0s;
}

/// The series of an answer by the group that each belongs to, and their ids.
struct Groups {
  std::vector<RangeSeries> entries;
  std::vector<SeriesId> ids;
  std::vector<std::size_t> group_of;  ///< By the place of the id.
};

Groups stand_alone(std::vector<SeriesInfo> series) {
  Groups out;
  for (SeriesInfo& one : series) {
    out.group_of.push_back(out.entries.size());
    out.ids.push_back(one.id);
    out.entries.push_back({std::move(one), {}});
  }
  return out;
}

Groups group_by(const std::vector<SeriesInfo>& series, const std::vector<std::string>& names) {
  Groups out;
  std::map<std::vector<std::string>, std::size_t> known;
  for (const SeriesInfo& one : series) {
    std::vector<std::string> key;
    for (const std::string& name : names) {
      key.emplace_back(name == model::kNameLabel ? std::string_view(one.metric_name)
                                                 : one.labels.get(name));
    }
    const auto [at, fresh] = known.try_emplace(std::move(key), out.entries.size());
    if (fresh) {
      RangeSeries group{{0, one.metric_name, {}, one.first_seen, one.last_seen}, {}, 0};
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (names[i] != model::kNameLabel && !at->first[i].empty()) {
          group.series.labels.set(names[i], at->first[i]);
        }
      }
      out.entries.push_back(std::move(group));
    }
    RangeSeries& group = out.entries[at->second];
    ++group.members;
    group.series.metric_name = group.series.metric_name == one.metric_name ? one.metric_name : "";
    group.series.first_seen = std::min(group.series.first_seen, one.first_seen);
    group.series.last_seen = std::max(group.series.last_seen, one.last_seen);
    out.group_of.push_back(at->second);
    out.ids.push_back(one.id);
  }
  return out;
}

Result<Groups> find_groups(Tx& tx, TenantId tenant, const RangeQuery& query) {
  SeriesSearch search;
  search.selector = join_selector(query.metric_name, query.matchers, query.selector);
  search.seen_from = query.from;
  search.selective = true;
  search.limit = query.series_max + (query.by ? 1 : 0);
  SENSUS_TRY(std::vector<SeriesInfo> series, find_series(tx, tenant, search));
  if (!query.by) {
    return stand_alone(std::move(series));
  }
  if (series.size() > query.series_max) {
    return make_error(Errc::invalid_input,
                      "more than " + std::to_string(query.series_max) +
                          " series are to be grouped: ask for fewer",
                      "by");
  }
  return group_by(series, *query.by);
}

Result<std::vector<RangeSeries>> load_range(Tx& tx, TenantId tenant, const RangeQuery& query) {
  SENSUS_TRY(Groups groups, find_groups(tx, tenant, query));
  if (groups.ids.empty()) {
    return std::move(groups.entries);
  }
  const StepGrid grid{to_unix_us(query.from), std::chrono::microseconds{query.step}.count(),
                      steps_in(query.from, query.to, query.step)};
  if (grid.count > query.points_total_max / groups.entries.size()) {
    return make_error(Errc::invalid_input,
                      std::to_string(groups.entries.size()) + " groups of " +
                          std::to_string(grid.count) + " steps are too many points, at most " +
                          std::to_string(query.points_total_max) +
                          " are given: ask for a longer step, a shorter range or fewer groups",
                      "step");
  }
  StepFold fold(query.aggregation, grid, groups.entries.size(), groups.ids.size());
  const TakeSamples take = [&](std::size_t index, std::span<const TimedValue> samples) {
    for (const TimedValue& sample : samples) {
      fold.add(groups.group_of[index], index, sample.time_us, sample.value);
    }
  };
  const std::chrono::seconds slot = slot_of(query);
  const bool counts_all =
      StepFold::takes_slots(query.aggregation) || query.aggregation == Aggregation::rate;
  SampleReader reader(
      tx, tenant,
      counts_all ? query.samples_max : std::min(query.samples_max, kQuantileSamplesMax));
  if (slot == 0s) {
    SENSUS_TRY_VOID(reader.read(groups.ids, {query.from, query.to}, take));
  } else {
    const TakeSlots take_slot = [&](std::size_t index, const RolledSlot& rolled) {
      fold.add_slot(groups.group_of[index], rolled);
    };
    SENSUS_TRY_VOID(reader.read_rolled(groups.ids, {query.from, query.to},
                                       {slot, query.aggregation}, take_slot, take));
  }
  for (std::size_t i = 0; i < groups.entries.size(); ++i) {
    groups.entries[i].points = fold.points(i);
  }
  return std::move(groups.entries);
}

Result<std::vector<RangeSeries>> load_samples(Tx& tx, TenantId tenant, const SamplesQuery& query) {
  SeriesSearch search;
  search.selector = query.selector;
  search.seen_from = query.from;
  search.selective = true;
  search.limit = query.series_max + 1;
  SENSUS_TRY(std::vector<SeriesInfo> series, find_series(tx, tenant, search));
  if (series.size() > query.series_max) {
    return make_error(
        Errc::invalid_input,
        "more than " + std::to_string(query.series_max) + " series match: ask for fewer", "query");
  }
  Groups found = stand_alone(std::move(series));
  const TakeSamples take = [&found](std::size_t index, std::span<const TimedValue> samples) {
    std::vector<model::Sample>& points = found.entries[index].points;
    for (const TimedValue& sample : samples) {
      points.push_back({from_unix_us(sample.time_us), sample.value});
    }
  };
  SampleReader reader(tx, tenant, query.samples_max);
  SENSUS_TRY_VOID(reader.read(found.ids, {query.from, query.to}, take));
  std::erase_if(found.entries, [](const RangeSeries& one) { return one.points.empty(); });
  return std::move(found.entries);
}

class PgSampleStore final : public SampleStore {
 public:
  explicit PgSampleStore(pg::Database& database) : database_(database) {}

  runtime::Async<std::vector<SeriesInfo>> list_series(Deadline deadline, TenantId tenant,
                                                      SeriesQuery query) override {
    using Series = std::vector<SeriesInfo>;
    std::function<Result<Series>(Tx&)> job = [tenant, query](Tx& tx) -> Result<Series> {
      SeriesSearch search;
      search.selector = join_selector(query.metric_name, query.matchers, query.selector);
      search.after = query.after;
      search.limit = query.limit;
      return find_series(tx, tenant, search);
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

  runtime::Async<std::vector<SeriesMatch>> match_series(
      Deadline deadline, TenantId tenant, std::vector<SeriesId> ids,
      std::vector<model::Selector> selectors) override {
    using Matches = std::vector<SeriesMatch>;
    std::function<Result<Matches>(Tx&)> job = [tenant, ids, selectors](Tx& tx) -> Result<Matches> {
      return storage::match_series(tx, tenant, ids, selectors);
    };
    auto matches =
        co_await database_.transact<Matches>(deadline, Access::read_only, std::move(job));
    co_return matches;
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

  runtime::Async<std::vector<RangeSeries>> read_samples(Deadline deadline, TenantId tenant,
                                                        SamplesQuery query) override {
    using Ranges = std::vector<RangeSeries>;
    if (query.from >= query.to) {
      co_return Ranges{};
    }
    std::function<Result<Ranges>(Tx&)> job = [tenant, query](Tx& tx) -> Result<Ranges> {
      return load_samples(tx, tenant, query);
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
      return load_step_means(tx, tenant, ids, {from, to}, step);
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
        samples.push_back({id, sample, false});
      });
      mark_counters(tx, tenant, samples);
      return samples;
    };
    auto samples =
        co_await database_.transact<Samples>(deadline, Access::read_only, std::move(job));
    co_return samples;
  }

  runtime::Async<std::optional<Timestamp>> newest_sample(Deadline deadline, TenantId tenant,
                                                         Timestamp last) override {
    using Newest = std::optional<Timestamp>;
    std::function<Result<Newest>(Tx&)> job = [tenant, last](Tx& tx) -> Result<Newest> {
      return tx.exec(kNewest, Params().integer(tenant).integer(kBuckets).time(last))
          .time_or_null(0, 0);
    };
    auto newest = co_await database_.transact<Newest>(deadline, Access::read_only, std::move(job));
    co_return newest;
  }

  runtime::Async<std::vector<SeriesId>> ended(Deadline deadline, TenantId tenant,
                                              std::vector<SeriesId> ids) override {
    using Ids = std::vector<SeriesId>;
    std::function<Result<Ids>(Tx&)> job = [tenant, ids](Tx& tx) -> Result<Ids> {
      const Rows rows = tx.exec(kEnded, Params().integer(tenant).integers({ids.begin(), ids.end()}));
      Ids out;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        out.push_back(static_cast<SeriesId>(rows.integer(i, 0)));
      }
      return out;
    };
    auto found = co_await database_.transact<Ids>(deadline, Access::read_only, std::move(job));
    co_return found;
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
