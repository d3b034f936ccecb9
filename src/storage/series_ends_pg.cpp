#include "storage/series_ends_internal.hpp"

#include "storage/sql_internal.hpp"

#include <algorithm>
#include <map>

namespace sensus::storage {
namespace {

using pg::Params;
using pg::Rows;

// Rows are locked in the order of their ids, as all writers of series do. One that ends again (a retry, or a second sender of it) keeps
// the later end.
constexpr std::string_view kEnd =
    "update sensus.series s set ended_at = n.time from (select o.id, o.ended_at as old, greatest(o.ended_at, e.time) as time from "
    "(select fingerprint, max(time) as time from unnest($2::bytea[], $3::timestamptz[]) x(fingerprint, time) group by 1) e "
    "join sensus.series o on o.tenant_id = $1::int and o.fingerprint = e.fingerprint order by o.id for no key update of o) n "
    "where s.tenant_id = $1::int and s.id = n.id returning s.id, n.old is null";
constexpr std::string_view kResume =
    "update sensus.series s set ended_at = null from (select o.id from unnest($2::int[], $3::timestamptz[]) r(id, newest) "
    "join sensus.series o on o.tenant_id = $1::int and o.id = r.id where o.ended_at < r.newest order by o.id for no key update of o) n "
    "where s.tenant_id = $1::int and s.id = n.id";
constexpr std::string_view kStillEnded =
    "select id from sensus.series where tenant_id = $1::int and id = any($2::int[]) and ended_at is not null";

using Newest = std::map<SeriesId, Timestamp>;

void note(Newest& out, SeriesId id, Timestamp time) {
  const auto [at, fresh] = out.try_emplace(id, time);
  at->second = fresh ? time : std::max(at->second, time);
}

/// Series whose samples may be later than their end, and the newest of these.
Newest resumed_series(const SampleFlush& flush, const std::vector<SeriesId>& series, const std::vector<bool>& had_ended) {
  const auto index_of = [](std::int32_t reference) { return static_cast<std::size_t>(-(reference + 1)); };
  Newest out;
  for (const SampleFlush::Resumed& one : flush.resumed) {
    note(out, one.series > 0 ? one.series : series.at(index_of(one.series)), one.newest);
  }
  if (std::ranges::find(had_ended, true) != had_ended.end()) {
    for (const SampleRow& row : flush.rows) {
      if (row.series < 0 && had_ended.at(index_of(row.series))) {
        note(out, series[index_of(row.series)], row.time);
      }
    }
  }
  out.erase(0);  // Refused by the limit.
  return out;
}

void end_series(pg::Tx& tx, const SampleFlush& flush, EndedSeries& out) {
  std::vector<std::vector<std::uint8_t>> fingerprints;
  std::vector<Timestamp> times;
  for (const SeriesEnd& end : flush.ends) {
    fingerprints.push_back(to_bytes(model::hash_series_key(end.key)));
    times.push_back(end.time);
  }
  const Rows rows = tx.exec(kEnd, Params().integer(flush.tenant).byteas(fingerprints).times(times));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.ended.push_back(static_cast<SeriesId>(rows.integer(i, 0)));
    out.newly_ended += rows.boolean(i, 1) ? 1 : 0;
  }
}

void resume_series(pg::Tx& tx, TenantId tenant, const Newest& resumed, EndedSeries& out) {
  std::vector<std::int64_t> ids;
  std::vector<Timestamp> times;
  for (const auto& [id, newest] : resumed) {
    ids.push_back(id);
    times.push_back(newest);
  }
  out.resumed = tx.exec(kResume, Params().integer(tenant).integers(ids).times(times)).affected();
  ids.insert(ids.end(), out.ended.begin(), out.ended.end());
  const Rows rows = tx.exec(kStillEnded, Params().integer(tenant).integers(ids));
  out.ended.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.ended.push_back(static_cast<SeriesId>(rows.integer(i, 0)));
  }
}

}  // namespace

EndedSeries write_ends(pg::Tx& tx, const SampleFlush& flush, const std::vector<SeriesId>& series,
                       const std::vector<bool>& had_ended) {
  EndedSeries out;
  if (!flush.ends.empty()) {
    end_series(tx, flush, out);
  }
  if (const Newest resumed = resumed_series(flush, series, had_ended); !resumed.empty()) {
    resume_series(tx, flush.tenant, resumed, out);
  }
  std::ranges::sort(out.ended);
  return out;
}

}  // namespace sensus::storage
