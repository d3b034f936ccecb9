#include "sensus/storage/alerts.hpp"

#include "storage/alert_rows_internal.hpp"
#include "storage/sql_internal.hpp"

namespace sensus::storage {

const std::string kEpisodeColumns =
    "a.id, a.status, a.labels, a.annotations, a.alert_name, a.severity, a.description, "
    "a.fingerprint, a.generator_url, a.starts_at, "
    "a.ends_at, a.created_at, a.last_received_at, a.receive_count";

model::Episode read_episode(const pg::Rows& rows, std::size_t row) {
  model::Episode e;
  e.id = rows.integer(row, 0);
  e.status =
      rows.text(row, 1) == "resolved" ? model::AlertStatus::resolved : model::AlertStatus::firing;
  e.labels = read_labels(rows, row, 2);
  e.annotations = read_labels(rows, row, 3);
  e.alert_name = rows.text(row, 4);
  e.severity = rows.text(row, 5);
  e.description = rows.text(row, 6);
  e.fingerprint = rows.text(row, 7);
  e.generator_url = rows.text(row, 8);
  e.starts_at = rows.time(row, 9);
  e.ends_at = rows.time_or_null(row, 10);
  e.created_at = rows.time(row, 11);
  e.last_received_at = rows.time(row, 12);
  e.receive_count = rows.integer(row, 13);
  return e;
}

namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;

std::vector<model::Episode> read_episodes(const Rows& rows) {
  std::vector<model::Episode> episodes;
  episodes.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    episodes.push_back(read_episode(rows, i));
  }
  return episodes;
}

const std::string kList =
    "select " + kEpisodeColumns +
    " from sensus.alerts a where a.tenant_id = $1::int and ($2::text is null or a.status = $2) "
    "and ($3::text = '' or a.severity = $3) and ($4::text = '' or a.alert_name = $4) "
    "and ($5::timestamptz is null or a.ends_at is null or a.ends_at >= $5) "
    "and ($6::timestamptz is null or a.starts_at < $6) "
    "and ($7::timestamptz is null or (a.starts_at, a.id) < ($7, $8::bigint)) and " +
    matcher_condition("a.labels", 9) + " order by a.starts_at desc, a.id desc limit $13::bigint";

const std::string kGet = "select " + kEpisodeColumns +
                         " from sensus.alerts a where a.tenant_id = $1::int and a.id = $2::bigint";

const std::string kOverlapping =
    "select " + kEpisodeColumns +
    " from sensus.alerts a where a.tenant_id = $1::int and a.id <> $2::bigint and a.starts_at < "
    "$4::timestamptz "
    "and (a.ends_at is null or a.ends_at >= $3::timestamptz) order by a.starts_at desc, a.id desc "
    "limit $5::bigint";

constexpr std::string_view kRecurrence =
    "select count(b.id) filter (where b.starts_at >= a.starts_at - interval '24 hours'), "
    "count(b.id), max(b.starts_at), "
    "(array_agg(b.ends_at order by b.starts_at desc))[1] "
    "from sensus.alerts a left join sensus.alerts b on b.tenant_id = a.tenant_id and b.labels_hash "
    "= a.labels_hash "
    "and b.starts_at < a.starts_at and b.starts_at >= a.starts_at - interval '30 days' "
    "where a.tenant_id = $1::int and a.id = $2::bigint group by a.id";

Error no_such_alert() { return make_error(Errc::not_found, "there is no alert with this id"); }

class PgAlertStore final : public AlertStore {
 public:
  explicit PgAlertStore(pg::Database& database) : database_(database) {}

  runtime::Async<std::vector<AlertOutcome>> store(Deadline deadline, TenantId tenant,
                                                  model::AlertBatch batch,
                                                  Timestamp received_at) override {
    using Outcomes = std::vector<AlertOutcome>;
    const auto shared = std::make_shared<const model::AlertBatch>(std::move(batch));
    std::function<Result<Outcomes>(Tx&)> job = [shared, tenant,
                                                received_at](Tx& tx) -> Result<Outcomes> {
      return merge_alerts(tx, tenant, *shared, received_at);
    };
    auto outcomes =
        co_await database_.transact<Outcomes>(deadline, Access::read_write, std::move(job));
    co_return outcomes;
  }

  runtime::Async<Page<model::Episode>> list(Deadline deadline, TenantId tenant,
                                            AlertFilter filter) override {
    std::function<Result<Page<model::Episode>>(Tx&)> job =
        [tenant, filter](Tx& tx) -> Result<Page<model::Episode>> {
      // Both columns are labels too, and labels have an index.
      std::vector<model::Matcher> matchers = filter.matchers;
      if (!filter.alert_name.empty()) {
        matchers.push_back({"alertname", model::MatchOp::equal, filter.alert_name});
      }
      if (!filter.severity.empty()) {
        matchers.push_back({"severity", model::MatchOp::equal, filter.severity});
      }
      Params params;
      params.integer(tenant);
      if (filter.status) {
        params.text(model::to_string(*filter.status));
      } else {
        params.null();
      }
      params.text(filter.severity)
          .text(filter.alert_name)
          .time_or_null(filter.from)
          .time_or_null(filter.to);
      add_page_key(params, filter.after);
      add_matchers(params, matchers);
      params.integer(static_cast<std::int64_t>(filter.limit) + 1);
      auto episodes = read_episodes(tx.exec(kList, params));
      return make_page(std::move(episodes), filter.limit, [](const model::Episode& e) {
        return model::PageKey{e.starts_at, e.id};
      });
    };
    auto page = co_await database_.transact<Page<model::Episode>>(deadline, Access::read_only,
                                                                  std::move(job));
    co_return page;
  }

  runtime::Async<model::Episode> get(Deadline deadline, TenantId tenant, EpisodeId id) override {
    std::function<Result<model::Episode>(Tx&)> job = [tenant,
                                                      id](Tx& tx) -> Result<model::Episode> {
      const Rows rows = tx.exec(kGet, Params().integer(tenant).integer(id));
      if (rows.empty()) {
        return no_such_alert();
      }
      return read_episode(rows, 0);
    };
    auto episode =
        co_await database_.transact<model::Episode>(deadline, Access::read_only, std::move(job));
    co_return episode;
  }

  runtime::Async<std::vector<model::Episode>> overlapping(Deadline deadline, TenantId tenant,
                                                          EpisodeId except, Timestamp from,
                                                          Timestamp to,
                                                          std::size_t limit) override {
    using Episodes = std::vector<model::Episode>;
    std::function<Result<Episodes>(Tx&)> job = [=](Tx& tx) -> Result<Episodes> {
      const auto count = static_cast<std::int64_t>(limit);
      return read_episodes(
          tx.exec(kOverlapping,
                  Params().integer(tenant).integer(except).time(from).time(to).integer(count)));
    };
    auto episodes =
        co_await database_.transact<Episodes>(deadline, Access::read_only, std::move(job));
    co_return episodes;
  }

  runtime::Async<Recurrence> recurrence(Deadline deadline, TenantId tenant, EpisodeId id) override {
    std::function<Result<Recurrence>(Tx&)> job = [tenant, id](Tx& tx) -> Result<Recurrence> {
      const Rows rows = tx.exec(kRecurrence, Params().integer(tenant).integer(id));
      if (rows.empty()) {
        return no_such_alert();
      }
      return Recurrence{rows.integer(0, 0), rows.integer(0, 1), rows.time_or_null(0, 2),
                        rows.time_or_null(0, 3)};
    };
    auto recurrence =
        co_await database_.transact<Recurrence>(deadline, Access::read_only, std::move(job));
    co_return recurrence;
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<AlertStore> make_alert_store(pg::Database& database) {
  return std::make_unique<PgAlertStore>(database);
}

}  // namespace sensus::storage
