#include "storage/retention_internal.hpp"

#include "sensus/core/assert.hpp"

#include <algorithm>

namespace sensus::storage {
namespace {

using runtime::Async;

/// Rows of one DELETE: some hundred milliseconds.
constexpr std::int64_t kRowsMax = 20'000;

constexpr const char* kDeleteQuarantine =
    "delete from sensus.quarantine where ctid = any(array(select q.ctid from sensus.quarantine q where q.last_received_at < $1 limit $2))";
constexpr const char* kDeleteDeadLetters =
    "delete from sensus.dead_letters where ctid = any(array(select d.ctid from sensus.dead_letters d where d.created_at < $1 limit $2))";

struct Deleted {
  std::string part;
  std::int64_t tenant = 0;
  std::int64_t rows = 0;
};

Deleted delete_rows(pg::Tx& tx, const std::vector<std::int64_t>& tenants, const RetentionPlan::Befores& befores) {
  const pg::Rows rows =
      tx.exec("select part, tenant, deleted from sensus.delete_expired_rows($1::int[], $2::timestamptz[], $3::timestamptz[], "
              "$4::timestamptz[], $5::int)",
              pg::Params().integers(tenants).times(befores.raw).times(befores.rollup_5m).times(befores.rollup_1h).integer(kRowsMax));
  if (rows.empty()) {
    return {};
  }
  return {std::string(rows.text(0, 0)), rows.integer(0, 1), rows.integer(0, 2)};
}

std::string drop_one(pg::Tx& tx, const RetentionPlan::Befores& befores) {
  // A partition goes when the tenant that keeps it longest is done with it.
  const pg::Rows rows = tx.exec("select coalesce(sensus.drop_expired_samples($1, $2, $3), '')",
                                pg::Params()
                                    .time(std::ranges::min(befores.raw))
                                    .time(std::ranges::min(befores.rollup_5m))
                                    .time(std::ranges::min(befores.rollup_1h)));
  return std::string(rows.text(0, 0));
}

std::vector<Timestamp> since(Timestamp now, const std::vector<std::chrono::milliseconds>& kept) {
  std::vector<Timestamp> out;
  for (const auto duration : kept) {
    out.push_back(now - duration);
  }
  return out;
}

}  // namespace

RetentionPlan::RetentionPlan(const RetentionOptions& options)
    : raw{options.raw}, rollup_5m{std::max(options.rollup_5m, options.raw)}, rollup_1h{std::max(options.rollup_1h, options.raw)} {
  for (const std::string& text : options.tenants) {
    const auto tenant = parse_tenant_retention(text);
    SENSUS_ASSERT(tenant.has_value());  // The configuration was checked.
    tenants.push_back(tenant->tenant);
    raw.push_back(tenant->raw.value_or(options.raw));
    rollup_5m.push_back(std::max(tenant->rollup_5m.value_or(options.rollup_5m), raw.back()));
    rollup_1h.push_back(std::max(tenant->rollup_1h.value_or(options.rollup_1h), raw.back()));
  }
}

RetentionPlan::Befores RetentionPlan::befores(Timestamp now) const { return {since(now, raw), since(now, rollup_5m), since(now, rollup_1h)}; }

Retention::Instruments::Instruments(telemetry::Metrics& m)
    : dropped(m.counter("sensus_retention_partitions_dropped_total", "Partitions of samples and rollups dropped because of their age.")),
      sample_rows(m.counter("sensus_retention_rows_deleted_total", "Rows deleted because of their age, by what they were.",
                            {{"kind", "samples"}})),
      quarantine_rows(m.counter("sensus_retention_rows_deleted_total", "Rows deleted because of their age, by what they were.",
                                {{"kind", "quarantine"}})),
      dead_letter_rows(m.counter("sensus_retention_rows_deleted_total", "Rows deleted because of their age, by what they were.",
                                 {{"kind", "dead_letters"}})),
      last_success(m.gauge("sensus_retention_last_success_timestamp_seconds", "When all that was past its retention was last deleted.")) {}

Retention::Retention(UpkeepSession& session, RetentionOptions options, const Clock& clock, telemetry::Log log,
                     telemetry::Metrics& metrics)
    : session_(session), options_(std::move(options)), plan_(options_), clock_(clock), log_(std::move(log)), metrics_(metrics) {}

Async<> Retention::delete_rows_of_tenants(Timestamp now, Compactor::Retained& done) {
  if (plan_.tenants.size() < 2) {
    co_return Result<>{};  // All keep for the same time: partitions are enough.
  }
  while (true) {
    std::function<Deleted(pg::Tx&)> job = [tenants = plan_.tenants, befores = plan_.befores(now)](pg::Tx& tx) {
      return delete_rows(tx, tenants, befores);
    };
    const auto deleted = co_await session_.run<Deleted>(std::move(job));
    if (!deleted) {
      co_return deleted.error();
    }
    if (deleted->part.empty()) {
      co_return Result<>{};
    }
    done.tenant_rows_deleted += deleted->rows;
    metrics_.sample_rows.inc(static_cast<double>(deleted->rows));
    log_.debug("deleted rows that are past their tenant's retention",
               {{"partition", deleted->part}, {"tenant", deleted->tenant}, {"rows", deleted->rows}});
  }
}

Async<> Retention::drop_partitions(Timestamp now, Compactor::Retained& done) {
  while (true) {
    std::function<std::string(pg::Tx&)> job = [befores = plan_.befores(now)](pg::Tx& tx) { return drop_one(tx, befores); };
    const auto dropped = co_await session_.run<std::string>(std::move(job));
    if (!dropped) {
      co_return dropped.error();
    }
    if (dropped->empty()) {
      co_return Result<>{};
    }
    ++done.partitions_dropped;
    metrics_.dropped.inc();
    log_.info("dropped a partition that is past its retention", {{"partition", *dropped}});
  }
}

Async<> Retention::drain_default(Timestamp now, Compactor::Retained& done) {
  std::function<std::int64_t(pg::Tx&)> job = [before = std::ranges::min(plan_.befores(now).raw)](pg::Tx& tx) {
    return tx.exec("select sensus.drain_default_partition($1)", pg::Params().time(before)).integer(0, 0);
  };
  const auto strays = co_await session_.run<std::int64_t>(std::move(job));
  if (!strays) {
    co_return strays.error();
  }
  done.stray_rows_deleted = *strays;
  co_return Result<>{};
}

Async<> Retention::delete_old(std::string statement, Timestamp before, telemetry::Counter counter, std::int64_t& deleted) {
  while (true) {
    std::function<std::int64_t(pg::Tx&)> job = [statement, before](pg::Tx& tx) {
      return static_cast<std::int64_t>(tx.exec(statement, pg::Params().time(before).integer(kRowsMax)).affected());
    };
    const auto rows = co_await session_.run<std::int64_t>(std::move(job));
    if (!rows) {
      co_return rows.error();
    }
    deleted += *rows;
    counter.inc(static_cast<double>(*rows));
    if (*rows < kRowsMax) {
      co_return Result<>{};
    }
  }
}

Async<Compactor::Retained> Retention::apply() {
  Compactor::Retained done;
  const Timestamp now = clock_.now();
  Result<> step = co_await delete_rows_of_tenants(now, done);
  if (step) {
    step = co_await drop_partitions(now, done);
  }
  if (step) {
    step = co_await drain_default(now, done);
  }
  if (step) {
    const std::string statement = kDeleteQuarantine;
    step = co_await delete_old(statement, now - options_.quarantine, metrics_.quarantine_rows, done.quarantine_deleted);
  }
  if (step) {
    const std::string statement = kDeleteDeadLetters;
    step = co_await delete_old(statement, now - options_.dead_letters, metrics_.dead_letter_rows, done.dead_letters_deleted);
  }
  if (!step) {
    co_return step.error();
  }
  metrics_.last_success.set(static_cast<double>(to_unix_us(now)) / 1e6);
  co_return done;
}

}  // namespace sensus::storage
