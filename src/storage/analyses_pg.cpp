#include "sensus/storage/analyses.hpp"

#include "sensus/codec/model_json.hpp"
#include "storage/sql_internal.hpp"

#include <map>
#include <stdexcept>

namespace sensus::storage {
namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;

const std::string kAnalysisColumns =
    "r.id, r.alert_id, r.series_id, r.analysis_type, r.model_name, r.analysis_data, "
    "coalesce(r.confidence_score, 0), r.created_at";

model::AnalysisType read_type(std::string_view text) {
  const auto type = model::parse_analysis_type(text);
  if (!type) {
    throw std::logic_error("an analysis has a type that this program does not know");
  }
  return *type;
}

model::Analysis read_analysis(const Rows& rows, std::size_t row) {
  model::Analysis a;
  a.id = rows.integer(row, 0);
  if (!rows.is_null(row, 1)) {
    a.alert_id = rows.integer(row, 1);
  }
  if (!rows.is_null(row, 2)) {
    a.series_id = static_cast<SeriesId>(rows.integer(row, 2));
  }
  a.type = read_type(rows.text(row, 3));
  a.model_name = rows.text(row, 4);
  a.data_json = rows.text(row, 5);
  a.confidence = rows.number(row, 6);
  a.created_at = rows.time(row, 7);
  return a;
}

constexpr std::string_view kInsertAnomalies =
    "with fresh as (insert into sensus.ai_analysis_results (tenant_id, series_id, analysis_type, "
    "model_name, model_version, observed_at, analysis_data, confidence_score, score) "
    "select $1::int, x.series, 'anomaly_detection', 'isolation_forest', x.version, x.time, x.data::jsonb, "
    "x.score, x.score from unnest($2::int[], $3::text[], $4::timestamptz[], $5::float8[], $6::text[]) "
    "x(series, version, time, score, data) order by x.series, x.time "
    "on conflict do nothing returning id, series_id, observed_at) "
    "select f.id, f.series_id, f.observed_at, coalesce(s.metric_name, ''), coalesce(s.labels, "
    "'{}') from fresh f "
    "left join sensus.known_series s on s.tenant_id = $1::int and s.id = f.series_id order by f.id";

/// Inserts what is new; returns the events of the new ones.
std::vector<model::NewEvent> insert_anomalies(Tx& tx, TenantId tenant,
                                              const std::vector<model::Anomaly>& anomalies) {
  std::vector<std::int64_t> series;
  std::vector<std::string> versions;
  std::vector<Timestamp> times;
  std::vector<double> scores;
  std::vector<std::string> data;
  std::map<std::pair<SeriesId, Timestamp>, std::size_t> position;
  for (std::size_t i = 0; i < anomalies.size(); ++i) {
    const model::Anomaly& a = anomalies[i];
    position[{a.series_id, a.time}] = i;
    series.push_back(a.series_id);
    versions.push_back(a.model_version);
    times.push_back(a.time);
    scores.push_back(a.score);
    data.push_back(codec::render_anomaly_data(a));
  }
  Params params;
  params.integer(tenant).integers(series).texts(versions).times(times).numbers(scores).texts(data);
  const Rows rows = tx.exec(kInsertAnomalies, params);
  std::vector<model::NewEvent> events;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    model::Anomaly stored =
        anomalies[position.at({static_cast<SeriesId>(rows.integer(i, 1)), rows.time(i, 2)})];
    stored.id = rows.integer(i, 0);
    stored.metric_name = rows.text(i, 3);
    stored.labels = read_labels(rows, i, 4);
    events.push_back({model::Topic::events, "anomaly", codec::render_anomaly(stored)});
  }
  return events;
}

constexpr std::string_view kInsertAnalysis =
    "insert into sensus.ai_analysis_results (tenant_id, alert_id, event_id, analysis_type, "
    "model_name, analysis_data, confidence_score) "
    "values ($1::int, nullif($2::bigint, 0), nullif($3::bigint, 0), $4, $5, $6::jsonb, $7::float8) "
    "on conflict (tenant_id, event_id, analysis_type) where event_id is not null do nothing "
    "returning id, created_at";
constexpr std::string_view kFindAnalysis =
    "select id from sensus.ai_analysis_results where tenant_id = $1::int and event_id = $2::bigint "
    "and analysis_type = $3";

AnalysisId insert_analysis(Tx& tx, TenantId tenant, const NewAnalysis& analysis) {
  const std::string_view type = model::to_string(analysis.type);
  const Rows rows = tx.exec(kInsertAnalysis, Params()
                                                 .integer(tenant)
                                                 .integer(analysis.alert_id)
                                                 .integer(analysis.event_id)
                                                 .text(type)
                                                 .text(analysis.model_name)
                                                 .text(analysis.data_json)
                                                 .number(analysis.confidence));
  finish_events(tx, {analysis.event_id});
  if (rows.empty()) {
    return tx.exec(kFindAnalysis, Params().integer(tenant).integer(analysis.event_id).text(type))
        .integer(0, 0);
  }
  model::Analysis stored;
  stored.id = rows.integer(0, 0);
  if (analysis.alert_id != 0) {
    stored.alert_id = analysis.alert_id;
  }
  stored.type = analysis.type;
  stored.model_name = analysis.model_name;
  stored.data_json = analysis.data_json;
  stored.confidence = analysis.confidence;
  stored.created_at = rows.time(0, 1);
  std::vector<model::NewEvent> events = analysis.follow_ups;
  events.push_back({model::Topic::events, "analysis", codec::render_analysis(stored)});
  store_events(tx, tenant, events);
  return stored.id;
}

const std::string kList =
    "select " + kAnalysisColumns +
    " from sensus.ai_analysis_results r where r.tenant_id = $1::int and ($2::bigint is null or "
    "r.alert_id = $2) "
    "and ($3::text is null or r.analysis_type = $3) and ($4::timestamptz is null or r.created_at "
    ">= $4) "
    "and ($5::timestamptz is null or r.created_at < $5) "
    "and ($6::timestamptz is null or (r.created_at, r.id) < ($6, $7::bigint)) "
    "order by r.created_at desc, r.id desc limit $8::bigint";

const std::string kLatest = "select " + kAnalysisColumns +
                            " from sensus.ai_analysis_results r where r.tenant_id = $1::int and "
                            "r.analysis_type <> 'anomaly_detection' "
                            "order by r.created_at desc, r.id desc limit 1";

const std::string kAnomalies =
    "select r.id, r.series_id, coalesce(s.metric_name, ''), coalesce(s.labels, '{}'), "
    "r.observed_at, "
    "coalesce((r.analysis_data ->> 'value')::float8, 'NaN'), coalesce((r.analysis_data ->> 'expected')::float8, 0), r.score, "
    "coalesce((r.analysis_data ->> 'threshold')::float8, 0), "
    "r.model_version, r.analysis_data -> 'features', coalesce(r.analysis_data ->> 'kind', ''), "
    "coalesce(r.analysis_data ->> 'tier', ''), coalesce((r.analysis_data ->> 'band_low')::float8, 0), "
    "coalesce((r.analysis_data ->> 'band_high')::float8, 0), coalesce((r.analysis_data ->> 'evidence')::float8, 0), "
    "(r.analysis_data ->> 'since')::timestamptz, coalesce(r.analysis_data -> 'contributions', '[]'), "
    "coalesce((r.analysis_data ->> 'rate')::boolean, false) "
    "from sensus.ai_analysis_results r "
    "left join sensus.known_series s on s.tenant_id = r.tenant_id and s.id = r.series_id "
    "where r.tenant_id = $1::int and r.analysis_type = 'anomaly_detection' and ($2::text = '' or "
    "s.metric_name = $2) "
    "and ($3::timestamptz is null or r.observed_at >= $3) and ($4::timestamptz is null or "
    "r.observed_at < $4) and r.score >= $5::float8 "
    "and ($6::timestamptz is null or (r.observed_at, r.id) < ($6, $7::bigint)) and " +
    matcher_condition("coalesce(s.labels, '{}')", 8) +
    " and ($13::text = '' or r.analysis_data ->> 'tier' = $13) order by r.observed_at desc, r.id desc limit $12::bigint";

model::Anomaly read_anomaly(const Rows& rows, std::size_t row) {
  model::Anomaly a;
  a.id = rows.integer(row, 0);
  a.series_id = static_cast<SeriesId>(rows.integer(row, 1));
  a.metric_name = rows.text(row, 2);
  a.labels = read_labels(rows, row, 3);
  a.time = rows.time(row, 4);
  a.value = rows.number(row, 5);
  a.expected = rows.number(row, 6);
  a.score = rows.number(row, 7);
  a.threshold = rows.number(row, 8);
  a.model_version = rows.text(row, 9);
  a.features_json = rows.text(row, 10);
  a.kind = rows.text(row, 11);
  a.tier = rows.text(row, 12);
  a.band_low = rows.number(row, 13);
  a.band_high = rows.number(row, 14);
  a.evidence = rows.number(row, 15);
  a.since = rows.time_or_null(row, 16);
  a.contributions_json = rows.text(row, 17);
  a.is_rate = rows.boolean(row, 18);
  return a;
}

class PgAnalysisStore final : public AnalysisStore {
 public:
  explicit PgAnalysisStore(pg::Database& database) : database_(database) {}

  runtime::Async<std::size_t> store_anomalies(Deadline deadline, TenantId tenant,
                                              std::vector<model::Anomaly> anomalies,
                                              std::vector<EventId> done) override {
    const auto shared = std::make_shared<const std::vector<model::Anomaly>>(std::move(anomalies));
    std::function<Result<std::size_t>(Tx&)> job =
        [shared, tenant, done = std::move(done)](Tx& tx) -> Result<std::size_t> {
      std::vector<model::NewEvent> events;
      if (!shared->empty()) {
        events = insert_anomalies(tx, tenant, *shared);
      }
      store_events(tx, tenant, events);
      finish_events(tx, done);
      return events.size();
    };
    auto stored =
        co_await database_.transact<std::size_t>(deadline, Access::read_write, std::move(job));
    co_return stored;
  }

  runtime::Async<AnalysisId> store_analysis(Deadline deadline, TenantId tenant,
                                            NewAnalysis analysis) override {
    const auto shared = std::make_shared<const NewAnalysis>(std::move(analysis));
    std::function<Result<AnalysisId>(Tx&)> job = [shared, tenant](Tx& tx) -> Result<AnalysisId> {
      return insert_analysis(tx, tenant, *shared);
    };
    auto id = co_await database_.transact<AnalysisId>(deadline, Access::read_write, std::move(job));
    co_return id;
  }

  runtime::Async<Page<model::Analysis>> list(Deadline deadline, TenantId tenant,
                                             AnalysisFilter filter) override {
    std::function<Result<Page<model::Analysis>>(Tx&)> job =
        [tenant, filter](Tx& tx) -> Result<Page<model::Analysis>> {
      Params params;
      params.integer(tenant);
      if (filter.alert_id) {
        params.integer(*filter.alert_id);
      } else {
        params.null();
      }
      if (filter.type) {
        params.text(model::to_string(*filter.type));
      } else {
        params.null();
      }
      params.time_or_null(filter.from).time_or_null(filter.to);
      add_page_key(params, filter.after);
      const Rows rows = tx.exec(kList, params.integer(static_cast<std::int64_t>(filter.limit) + 1));
      std::vector<model::Analysis> found;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        found.push_back(read_analysis(rows, i));
      }
      return make_page(std::move(found), filter.limit, [](const model::Analysis& a) {
        return model::PageKey{a.created_at, a.id};
      });
    };
    auto page = co_await database_.transact<Page<model::Analysis>>(deadline, Access::read_only,
                                                                   std::move(job));
    co_return page;
  }

  runtime::Async<model::Analysis> latest(Deadline deadline, TenantId tenant) override {
    std::function<Result<model::Analysis>(Tx&)> job = [tenant](Tx& tx) -> Result<model::Analysis> {
      const Rows rows = tx.exec(kLatest, Params().integer(tenant));
      if (rows.empty()) {
        return make_error(Errc::not_found, "no alert has been analysed yet");
      }
      return read_analysis(rows, 0);
    };
    auto analysis =
        co_await database_.transact<model::Analysis>(deadline, Access::read_only, std::move(job));
    co_return analysis;
  }

  runtime::Async<Page<model::Anomaly>> anomalies(Deadline deadline, TenantId tenant,
                                                 AnomalyFilter filter) override {
    std::function<Result<Page<model::Anomaly>>(Tx&)> job =
        [tenant, filter](Tx& tx) -> Result<Page<model::Anomaly>> {
      Params params;
      params.integer(tenant)
          .text(filter.metric_name)
          .time_or_null(filter.from)
          .time_or_null(filter.to)
          .number(filter.score_min);
      add_page_key(params, filter.after);
      add_matchers(params, filter.matchers);
      const Rows rows =
          tx.exec(kAnomalies, params.integer(static_cast<std::int64_t>(filter.limit) + 1).text(filter.tier));
      std::vector<model::Anomaly> found;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        found.push_back(read_anomaly(rows, i));
      }
      return make_page(std::move(found), filter.limit, [](const model::Anomaly& a) {
        return model::PageKey{a.time, a.id};
      });
    };
    auto page = co_await database_.transact<Page<model::Anomaly>>(deadline, Access::read_only,
                                                                  std::move(job));
    co_return page;
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<AnalysisStore> make_analysis_store(pg::Database& database) {
  return std::make_unique<PgAnalysisStore>(database);
}

}  // namespace sensus::storage
