#include "sensus/storage/storage_tool.hpp"

#include "sensus/pg/bulk_session.hpp"

#include <algorithm>
#include <utility>

namespace sensus::storage {
namespace {

using pg::Params;
using pg::Rows;
using pg::Tx;

constexpr std::chrono::hours kStatementLimit{2};
constexpr std::int64_t kPagesAtOnce = 256;  ///< 2 MiB, with what lies in their TOAST table.
constexpr std::size_t kProblemsMax = 1000;
/// Pages up to which all rows of a partition are looked at for its samples; of more a tenth.
constexpr std::int64_t kExactPages = 2000;

constexpr std::string_view kParts =
    "select p.relname::text, c.relname::text, pg_relation_size(c.oid) / current_setting('block_size')::bigint from pg_inherits i "
    "join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent where p.relnamespace = 'sensus'::regnamespace "
    "and p.relname in ('sample_batches', 'sample_chunks', 'rollups_5m', 'rollups_1h') and c.relkind = 'r' order by 2";

struct Part {
  std::string parent;
  std::string name;
  std::int64_t pages = 0;
};

std::vector<Part> load_parts(Tx& tx) {
  const Rows rows = tx.exec(kParts);
  std::vector<Part> parts;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    parts.push_back({std::string(rows.text(i, 0)), std::string(rows.text(i, 1)), rows.integer(i, 2)});
  }
  return parts;
}

void load_tables(Tx& tx, StorageStats& stats) {
  const Rows rows = tx.exec("select name, partitions, bytes, rows_estimated from sensus.storage_tables()");
  stats.tables.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    stats.tables.push_back({std::string(rows.text(i, 0)), rows.integer(i, 1), rows.integer(i, 2), rows.integer(i, 3)});
  }
}

void load_samples(Tx& tx, StorageStats& stats) {
  for (const Part& part : load_parts(tx)) {
    if ((part.parent != "sample_batches" && part.parent != "sample_chunks") || part.pages == 0) {
      continue;
    }
    const Rows rows = tx.exec("select samples, bytes from sensus.storage_samples($1::regclass, $2::int)",
                              Params().text("sensus." + part.name).integer(part.pages > kExactPages ? 100 : 1000));
    StorageStats::Samples& sum = part.parent == "sample_chunks" ? stats.chunks : stats.batches;
    sum.samples += rows.integer(0, 0);
    sum.bytes += rows.integer(0, 1);
  }
}

void load_rest(Tx& tx, Timestamp until, StorageStats& stats) {
  const Rows rows = tx.exec(
      "select (select count(*) from sensus.series), (select count(*) from sensus.sample_batches_default), count(b.bucket), "
      "coalesce(sum(b.batches), 0)::bigint from sensus.compaction_backlog($1) b",
      Params().time(until));
  stats.series = rows.integer(0, 0);
  stats.default_rows = rows.integer(0, 1);
  stats.backlog_buckets = rows.integer(0, 2);
  stats.backlog_batches = rows.integer(0, 3);
}

/// Days by the names of partitions that hold rows, newest sample where compaction noted it.
void load_range(Tx& tx, StorageStats& stats) {
  const Rows noted = tx.exec("select max(t_max) from sensus.sample_days");
  if (!noted.is_null(0, 0)) {
    stats.newest = noted.time(0, 0);
  }
  for (const Part& part : load_parts(tx)) {
    if (part.pages == 0 || !part.parent.starts_with("sample_") || part.name.ends_with("_default")) {
      continue;
    }
    const Rows rows = tx.exec("select to_date(right($1, 8), 'YYYYMMDD')::timestamp at time zone 'UTC'", Params().text(part.name));
    const Timestamp day = rows.time(0, 0);
    stats.oldest_day = std::min(stats.oldest_day.value_or(day), day);
    stats.newest = std::max(stats.newest.value_or(day), day);
  }
}

struct Step {
  std::string day;
  std::int64_t tenant = 0;
  std::optional<std::int64_t> bucket;
};

std::vector<Step> load_steps(Tx& tx, Timestamp until) {
  const Rows rows = tx.exec("select day::text, tenant_id, bucket from sensus.compaction_backlog($1)", Params().time(until));
  std::vector<Step> steps;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Step step{std::string(rows.text(i, 0)), 0, std::nullopt};
    if (!rows.is_null(i, 2)) {
      step.tenant = rows.integer(i, 1);
      step.bucket = rows.integer(i, 2);
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

pg::Options without_limit(pg::Options options) {
  options.statement_timeout = kStatementLimit;
  return options;
}

}  // namespace

struct StorageTool::Impl {
  Impl(pg::Options options, const telemetry::Log& log, telemetry::Metrics& metrics)
      : session(without_limit(std::move(options)), log, metrics) {}

  Result<> run(const std::function<void(Tx&)>& work) {
    const pg::BulkSession::Job job = [&work](pg::BulkTx& tx) -> Result<> {
      work(tx);
      return {};
    };
    return session.write_blocking(Deadline::after(kStatementLimit), job);
  }

  Result<> step(const Step& step, CompactionProgress& done) {
    if (!step.bucket) {
      return {};
    }
    std::optional<std::int64_t> samples;
    SENSUS_TRY_VOID(run([&](Tx& tx) {
      const Rows rows = tx.exec("select sensus.compact_bucket($1::date, $2::int, $3::smallint)",
                                Params().text(step.day).integer(step.tenant).integer(*step.bucket));
      samples = rows.is_null(0, 0) ? std::nullopt : std::optional(rows.integer(0, 0));
    }));
    done.busy = !samples;
    done.buckets += done.busy ? 0 : 1;
    done.samples += samples.value_or(0);
    return {};
  }

  Result<> end_day(const std::string& day, CompactionProgress& done) {
    std::string outcome;
    const Result<> ended = run([&](Tx& tx) {
      outcome = tx.exec("select sensus.finish_compaction($1::date)", Params().text(day)).text(0, 0);
    });
    if (!ended && ended.error().code != Errc::timeout) {
      return ended;
    }
    const bool emptied = ended && outcome == "emptied";
    ++(emptied ? done.days_emptied : done.days_deferred);
    return {};
  }

  pg::BulkSession session;
};

StorageTool::StorageTool(pg::Options options, const telemetry::Log& log, telemetry::Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), log, metrics)) {}
StorageTool::~StorageTool() = default;

Result<StorageStats> StorageTool::stats_blocking(Timestamp until) {
  StorageStats stats;
  SENSUS_TRY_VOID(impl_->run([&](Tx& tx) {
    stats = {};
    load_tables(tx, stats);
    load_samples(tx, stats);
    load_rest(tx, until, stats);
    load_range(tx, stats);
  }));
  return stats;
}

Result<CompactionProgress> StorageTool::compact_blocking(Timestamp until, const std::function<void(const CompactionProgress&)>& progress) {
  std::vector<Step> steps;
  SENSUS_TRY_VOID(impl_->run([&](Tx& tx) { steps = load_steps(tx, until); }));
  CompactionProgress done;
  done.buckets_total = std::ranges::count_if(steps, [](const Step& step) { return step.bucket.has_value(); });
  for (std::size_t i = 0; i < steps.size(); ++i) {
    SENSUS_TRY_VOID(impl_->step(steps[i], done));
    if (done.busy) {
      return done;
    }
    if (i + 1 == steps.size() || steps[i + 1].day != steps[i].day) {
      SENSUS_TRY_VOID(impl_->end_day(steps[i].day, done));
    }
    progress(done);
  }
  return done;
}

Result<VerifyProgress> StorageTool::verify_blocking(const std::function<void(const VerifyProgress&)>& progress) {
  std::vector<Part> parts;
  SENSUS_TRY_VOID(impl_->run([&](Tx& tx) { parts = load_parts(tx); }));
  VerifyProgress done;
  for (const Part& part : parts) {
    done.pages_total += part.pages;
  }
  for (const Part& part : parts) {
    for (std::int64_t page = 0; page < part.pages; page += kPagesAtOnce) {
      VerifyProgress found;
      SENSUS_TRY_VOID(impl_->run([&](Tx& tx) {
        found = {};
        const Rows rows = tx.exec("select v.looked, v.samples, v.bad, p from sensus.verify_pages(to_regclass($1), $2::bigint, $3::bigint) v "
                                  "left join lateral unnest(v.problems) p on true where to_regclass($1) is not null",
                                  Params().text("sensus." + part.name).integer(page).integer(page + kPagesAtOnce));
        for (std::size_t i = 0; i < rows.size(); ++i) {
          found.rows = rows.integer(i, 0);
          found.samples = rows.integer(i, 1);
          found.bad_rows = rows.integer(i, 2);
          if (!rows.is_null(i, 3)) {
            found.problems.emplace_back(rows.text(i, 3));
          }
        }
      }));
      done.pages += std::min(kPagesAtOnce, part.pages - page);
      done.rows += found.rows;
      done.samples += found.samples;
      done.bad_rows += found.bad_rows;
      const std::size_t room = kProblemsMax - done.problems.size();
      std::move(found.problems.begin(), found.problems.begin() + static_cast<std::ptrdiff_t>(std::min(room, found.problems.size())),
                std::back_inserter(done.problems));
      progress(done);
    }
  }
  return done;
}

}  // namespace sensus::storage
