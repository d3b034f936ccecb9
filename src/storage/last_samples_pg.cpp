#include "sensus/storage/last_samples.hpp"

#include "storage/sample_layout_internal.hpp"
#include "storage/sql_internal.hpp"

#include <map>
#include <set>

namespace sensus::storage {
namespace {

using namespace std::chrono_literals;
using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;

/// Series seen within this long of each other are read by one statement; each costs what its window
/// holds.
constexpr auto kTogether = 1h;
/// last_seen follows in steps of some fifteen minutes, and a sample's time is that of its sender.
constexpr auto kBefore = 30min;
constexpr auto kAfter = 2h;
/// Series that ended long ago one by one are not worth a statement each.
constexpr std::size_t kStatementsMax = 8;

constexpr std::string_view kSeries =
    "select id, fingerprint, last_seen from sensus.series where tenant_id = $1::int and "
    "fingerprint = any($2::bytea[]) "
    "order by last_seen desc";
constexpr std::string_view kLast =
    "select distinct on (y.series) y.series, y.time, y.value from ("
    "select u.series, u.time, u.value, b.written_at, u.n from sensus.sample_batches b "
    "cross join lateral unnest(b.series_id, b.ts, b.value) with ordinality u(series, time, value, "
    "n) "
    "where b.tenant_id = $1::int and b.bucket = any($3::smallint[]) and b.t_min >= "
    "date_trunc('day', $4::timestamptz, 'UTC') "
    "and b.t_min < $5::timestamptz and b.t_max >= $4::timestamptz and u.series = any($2::int[]) "
    "union all "
    "select c.series_id, d.time, u.value, '-infinity', u.n from sensus.sample_chunks c "
    "cross join lateral unnest(c.drift_us, c.value) with ordinality u(drift, value, n) "
    "cross join lateral (select sensus.chunk_time(c.t_min, c.step_us, u.drift, u.n) as time) d "
    "where c.tenant_id = $1::int and c.series_id = any($2::int[]) and c.t_min >= date_trunc('day', "
    "$4::timestamptz, 'UTC') "
    "and c.t_min < $5::timestamptz and c.t_max >= $4::timestamptz"
    ") y order by y.series, y.time desc, y.written_at desc, y.n desc";

struct Group {
  Timestamp newest;
  Timestamp oldest;
  std::vector<std::int64_t> ids;
  std::set<std::int64_t> buckets;
};

Params window_params(TenantId tenant, const Group& group) {
  Params params;
  params.integer(tenant).integers(group.ids).integers({group.buckets.begin(), group.buckets.end()});
  params.time(group.oldest - kBefore).time(group.newest + kAfter);
  return params;
}

std::vector<LastSample> load_last(Tx& tx, TenantId tenant,
                                  const std::vector<model::LabelsHash>& series) {
  std::vector<std::vector<std::uint8_t>> fingerprints;
  fingerprints.reserve(series.size());
  for (const model::LabelsHash& hash : series) {
    fingerprints.push_back(to_bytes(hash));
  }
  std::map<SeriesId, model::LabelsHash> hash_of;
  std::vector<Group> groups;
  const Rows known = tx.exec(kSeries, Params().integer(tenant).byteas(fingerprints));
  for (std::size_t i = 0; i < known.size(); ++i) {
    const auto id = static_cast<SeriesId>(known.integer(i, 0));
    const Timestamp seen = known.time(i, 2);
    if (groups.empty() || seen < groups.back().newest - kTogether) {
      if (groups.size() == kStatementsMax) {
        break;
      }
      groups.push_back({seen, seen, {}, {}});
    }
    groups.back().oldest = seen;
    groups.back().ids.push_back(id);
    groups.back().buckets.insert(bucket_of(id));
    hash_of.emplace(id, read_hash(known, i, 1));
  }
  std::vector<LastSample> out;
  for (const Group& group : groups) {
    const Rows rows = tx.exec(kLast, window_params(tenant, group));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      out.push_back({hash_of.at(static_cast<SeriesId>(rows.integer(i, 0))),
                     {rows.time(i, 1), rows.number(i, 2)}});
    }
  }
  return out;
}

class PgLastSampleStore final : public LastSampleStore {
 public:
  explicit PgLastSampleStore(pg::Database& database) : database_(database) {}

  runtime::Async<std::vector<LastSample>> last_of(Deadline deadline, TenantId tenant,
                                                  std::vector<model::LabelsHash> series) override {
    using Samples = std::vector<LastSample>;
    if (series.empty()) {
      co_return Samples{};
    }
    std::function<Result<Samples>(Tx&)> job =
        [tenant, series = std::move(series)](Tx& tx) -> Result<Samples> {
      return load_last(tx, tenant, series);
    };
    auto samples =
        co_await database_.transact<Samples>(deadline, Access::read_only, std::move(job));
    co_return samples;
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<LastSampleStore> make_last_sample_store(pg::Database& database) {
  return std::make_unique<PgLastSampleStore>(database);
}

}  // namespace sensus::storage
