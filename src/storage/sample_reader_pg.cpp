#include "storage/sample_reader_internal.hpp"

#include "storage/sample_layout_internal.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace sensus::storage {
namespace {

using pg::Params;
using pg::Rows;
using std::chrono::days;
using std::chrono::floor;

constexpr std::size_t kGroupSeries = 64;
constexpr std::int64_t kSliceSamples = 200'000;
constexpr std::chrono::hours kChunkSpan{6};
/// So many series of a bucket are looked up in its rows one by one; of more the rows are read
/// whole.
constexpr std::size_t kNarrowSeries = 24;

// Parameters of both: $1 tenant, $2 series, $3 buckets, $4 from (inclusive), $5 to (exclusive), $6
// start of the first day. Partitions are chosen by t_min (a row never spans a day), rows by bucket
// or series and t_max. Ordered so that the later write comes later: what is in batch rows came
// after what is in chunks, or is the same.
const std::string kBatchesOfWindow =
    "b.tenant_id = $1::int and b.bucket = any($3::smallint[]) and b.t_min >= $6::timestamptz and "
    "b.t_min < $5::timestamptz and "
    "b.t_max >= $4::timestamptz";
const std::string kChunksOfWindow =
    " union all select c.series_id, null, c.t_min, c.step_us, c.drift_us, null, c.value, null from "
    "sensus.sample_chunks c where "
    "c.tenant_id = $1::int and c.series_id = any($2::int[]) and c.t_min >= $6::timestamptz and "
    "c.t_min < $5::timestamptz and c.t_max "
    ">= $4::timestamptz) x order by x.written_at nulls first";
const std::string kColumns =
    "select x.series, x.members, x.t_min, x.step_us, x.drift_us, x.ts, x.value from (";

// The samples of a series stand side by side in a row, so its part of the arrays is one slice:
// nothing is unnested. `offset 0` keeps the places from being computed once for each use.
const std::string kNarrow = kColumns +
                            "select w.id as series, null::int[] as members, null::timestamptz as "
                            "t_min, null::bigint as step_us, null::bigint[] as drift_us, "
                            "w.ts[w.places[1]:w.places[cardinality(w.places)]] as ts, "
                            "w.value[w.places[1]:w.places[cardinality(w.places)]] as value, "
                            "w.written_at from (select i.id, b.ts, b.value, b.written_at, p.places "
                            "from sensus.sample_batches b join unnest($2::int[]) i(id) on "
                            "sensus.sample_bucket(i.id) = b.bucket cross join lateral (select "
                            "array_positions(b.series_id, i.id) as places offset 0) p where " +
                            kBatchesOfWindow + " and p.places <> '{}' offset 0) w" +
                            kChunksOfWindow;
const std::string kWide =
    kColumns +
    "select null::int as series, b.series_id as members, null::timestamptz as t_min, null::bigint "
    "as step_us, null::bigint[] as "
    "drift_us, b.ts, b.value, b.written_at from sensus.sample_batches b where " +
    kBatchesOfWindow + kChunksOfWindow;

// Days that are rolled up and of whose buckets $2 nothing is in batch rows. A read of rollups and
// of the other days' samples need not see the same moment: each day is read from one of the two.
constexpr std::string_view kRolledDays =
    "select sensus.sample_day_start(d.day) from sensus.sample_days d where d.tenant_id = $1::int "
    "and d.rolled_up and "
    "d.day >= ($3::timestamptz at time zone 'UTC')::date and d.day < ($4::timestamptz at time zone "
    "'UTC') and not exists (select from "
    "unnest($2::smallint[]) g(bucket) cross join lateral (select from sensus.sample_batches b "
    "where b.tenant_id = $1::int and b.bucket "
    "= g.bucket and b.t_min >= sensus.sample_day_start(d.day) and b.t_min < "
    "sensus.sample_day_start(d.day + 1) limit 1) h) order by 1";

std::string slots_statement(const std::string& table, const std::string& column) {
  return "select x.series_id, x.t_min, x.slot, x." + column + ", x.samples from " + table +
         " x where x.tenant_id = $1::int and x.series_id = any($2::int[]) and x.t_min >= "
         "$3::timestamptz and x.t_min < "
         "$4::timestamptz";
}

/// The statement of a table of rollups whose column the aggregation wants.
const std::string& slots_statement(RolledColumn column) {
  static const std::array<std::string, 6> columns{"lowest", "highest", "total",
                                                  "newest", "total",   "samples"};
  static const auto make = [](const std::string& table) {
    std::array<std::string, 6> out;
    std::ranges::transform(columns, out.begin(), [&table](const std::string& name) {
      return slots_statement(table, name);
    });
    return out;
  };
  static const auto fine = make("sensus.rollups_5m");
  static const auto coarse = make("sensus.rollups_1h");
  return (column.slot == std::chrono::hours{1} ? coarse : fine)
      .at(static_cast<std::size_t>(column.aggregation));
}

std::vector<std::int64_t> buckets_of(const std::vector<SeriesId>& ids) {
  std::set<std::int64_t> buckets;
  for (const SeriesId id : ids) {
    buckets.insert(bucket_of(id));
  }
  return {buckets.begin(), buckets.end()};
}

std::size_t index_of(const std::vector<SeriesId>& ids, std::int64_t id) {
  const auto found = std::ranges::lower_bound(ids, id);
  return found == ids.end() || *found != id ? ids.size()
                                            : static_cast<std::size_t>(found - ids.begin());
}

/// In the order of writing: sorted by time, the last of equal times stays.
void settle(std::vector<TimedValue>& samples) {
  const auto before = [](const TimedValue& a, const TimedValue& b) {
    return a.time_us < b.time_us;
  };
  if (!std::ranges::is_sorted(samples, before)) {
    std::ranges::stable_sort(samples, before);
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (i + 1 == samples.size() || samples[i + 1].time_us != samples[i].time_us) {
      samples[kept++] = samples[i];
    }
  }
  samples.resize(kept);
}

/// Rows of kNarrow or kWide, each appended to the series that it belongs to.
class SliceRows {
 public:
  SliceRows(const Rows& rows, const std::vector<SeriesId>& ids, TimeSpan span,
            std::vector<std::vector<TimedValue>>& out)
      : rows_(rows),
        ids_(ids),
        from_us_(to_unix_us(span.from)),
        to_us_(to_unix_us(span.to)),
        out_(out) {}

  void gather() {
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      if (!rows_.is_null(row, 4)) {
        gather_chunk(row);
      } else if (!rows_.is_null(row, 0)) {
        gather_part(row);
      } else {
        gather_whole(row);
      }
    }
  }

 private:
  void put(std::size_t index, std::int64_t time_us, double value) {
    if (time_us >= from_us_ && time_us < to_us_) {
      out_[index].push_back({time_us, value});
    }
  }

  void gather_chunk(std::size_t row) {
    const std::size_t index = index_of(ids_, rows_.integer(row, 0));
    const std::int64_t first_us = to_unix_us(rows_.time(row, 2));
    const std::int64_t step_us = rows_.integer(row, 3);
    const auto drifts = rows_.integers(row, 4);
    const auto values = rows_.numbers(row, 6);
    std::int64_t regular_us = first_us;
    for (std::size_t i = 0; i < values.size(); ++i) {
      put(index, regular_us + drifts.at(i), values[i]);
      regular_us += step_us;
    }
  }

  void gather_part(std::size_t row) {
    const std::size_t index = index_of(ids_, rows_.integer(row, 0));
    const auto times = rows_.times(row, 5);
    const auto values = rows_.numbers(row, 6);
    for (std::size_t i = 0; i < values.size(); ++i) {
      put(index, to_unix_us(times.at(i)), values[i]);
    }
  }

  void gather_whole(std::size_t row) {
    const auto members = rows_.integers(row, 1);
    const auto times = rows_.times(row, 5);
    const auto values = rows_.numbers(row, 6);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t index = index_of(ids_, members.at(i));
      if (index < ids_.size()) {
        put(index, to_unix_us(times.at(i)), values[i]);
      }
    }
  }

  const Rows& rows_;
  const std::vector<SeriesId>& ids_;
  std::int64_t from_us_;
  std::int64_t to_us_;
  std::vector<std::vector<TimedValue>>& out_;
};

/// What is left of the window when these days are taken out of it up to `rolled_to`.
std::vector<TimeSpan> spans_without(TimeSpan span, const std::vector<Timestamp>& rolled,
                                    Timestamp rolled_to) {
  std::vector<TimeSpan> out;
  Timestamp at = span.from;
  for (const Timestamp day : rolled) {
    if (day > at) {
      out.push_back({at, day});
    }
    at = std::max(at, std::min<Timestamp>(day + days{1}, rolled_to));
  }
  if (at < span.to) {
    out.push_back({at, span.to});
  }
  return out;
}

}  // namespace

Result<> SampleReader::read(const std::vector<SeriesId>& ids, TimeSpan span,
                            const TakeSamples& take) {
  // Many series are read from whole rows, so all of them at once.
  const bool wide = ids.size() > kNarrowSeries * static_cast<std::size_t>(kBuckets);
  const std::size_t group = wide ? ids.size() : kGroupSeries;
  for (group_at_ = 0; group_at_ < ids.size(); group_at_ += group) {
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(group_at_);
    const auto count = static_cast<std::ptrdiff_t>(std::min(group, ids.size() - group_at_));
    SENSUS_TRY_VOID(read_group({begin, begin + count}, span, take));
  }
  return {};
}

Result<> SampleReader::read_group(const std::vector<SeriesId>& ids, TimeSpan span,
                                  const TakeSamples& take) {
  for (Timestamp at = span.from; at < span.to;) {
    const double series = static_cast<double>(ids.size());
    const double seconds = std::clamp(kSliceSamples / (samples_a_second_ * series), 60.0, 1e9);
    Timestamp to = at + std::chrono::seconds{static_cast<std::int64_t>(seconds)};
    if (to - at > kChunkSpan) {
      to = floor<days>(to) +
           (to - floor<days>(to)) / kChunkSpan * kChunkSpan;  // A chunk is unpacked once.
    }
    to = std::min(to, span.to);
    const std::size_t before = samples_read_;
    SENSUS_TRY_VOID(read_slice(ids, {at, to}, take));
    const double length = std::chrono::duration<double>(to - at).count();
    const double seen = static_cast<double>(samples_read_ - before) / (length * series);
    samples_a_second_ = std::clamp(seen * 1.5, 1e-4, 1e6);
    at = to;
  }
  return {};
}

Result<> SampleReader::read_slice(const std::vector<SeriesId>& ids, TimeSpan span,
                                  const TakeSamples& take) {
  const auto buckets = buckets_of(ids);
  Params params;
  params.integer(tenant_).integers({ids.begin(), ids.end()}).integers(buckets);
  params.time(span.from).time(span.to).time(floor<days>(span.from));
  const Rows rows = tx_.exec(ids.size() > kNarrowSeries * buckets.size() ? kWide : kNarrow, params);
  gathered_.resize(std::max(gathered_.size(), ids.size()));
  SliceRows(rows, ids, span, gathered_).gather();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    auto& samples = gathered_[i];
    if (samples.empty()) {
      continue;
    }
    settle(samples);
    samples_read_ += samples.size();
    if (samples_read_ <= samples_max_) {
      take(group_at_ + i, samples);
    }
    samples.clear();
  }
  if (samples_read_ > samples_max_) {
    return make_error(Errc::invalid_input,
                      "the answer needs more than " + std::to_string(samples_max_) +
                          " samples to be read: ask for fewer series or a shorter range, or for "
                          "min, max, avg, sum, count or last at "
                          "a step of whole hours",
                      "query");
  }
  return {};
}

std::vector<Timestamp> SampleReader::rolled_days(const std::vector<SeriesId>& ids, TimeSpan span) {
  Params params;
  params.integer(tenant_).integers(buckets_of(ids)).time(floor<days>(span.from)).time(span.to);
  const Rows rows = tx_.exec(kRolledDays, params);
  std::vector<Timestamp> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.push_back(rows.time(i, 0));
  }
  return out;
}

void SampleReader::read_slots(const std::vector<SeriesId>& ids, TimeSpan span, RolledColumn column,
                              const std::vector<Timestamp>& rolled, const TakeSlots& take) {
  Params params;
  params.integer(tenant_)
      .integers({ids.begin(), ids.end()})
      .time(floor<days>(span.from))
      .time(span.to);
  const Rows rows = tx_.exec(slots_statement(column), params);
  const std::int64_t from_us = to_unix_us(span.from);
  const std::int64_t to_us = to_unix_us(span.to);
  const std::int64_t slot_us = std::chrono::microseconds{column.slot}.count();
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const Timestamp begin = rows.time(row, 1);
    if (!std::ranges::binary_search(rolled, Timestamp{floor<days>(begin)})) {
      continue;
    }
    const std::size_t index = index_of(ids, rows.integer(row, 0));
    const auto slots = rows.integers(row, 2);
    const auto values = rows.numbers(row, 3);
    const auto samples = rows.integers(row, 4);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const std::int64_t time_us = to_unix_us(begin) + slots[i] * slot_us;
      if (time_us >= from_us && time_us < to_us) {
        take(index, {time_us, values.at(i), static_cast<std::uint64_t>(samples.at(i))});
      }
    }
  }
}

Result<> SampleReader::read_rolled(const std::vector<SeriesId>& ids, TimeSpan span,
                                   RolledColumn column, const TakeSlots& take_slots,
                                   const TakeSamples& take) {
  const Timestamp rolled_to = span.to - span.to.time_since_epoch() % column.slot;
  const std::vector<Timestamp> rolled = rolled_days(ids, span);
  if (!rolled.empty() && span.from < rolled_to) {
    read_slots(ids, {span.from, rolled_to}, column, rolled, take_slots);
  }
  for (const TimeSpan& part : spans_without(span, rolled, rolled_to)) {
    SENSUS_TRY_VOID(read(ids, part, take));
  }
  return {};
}

}  // namespace sensus::storage
