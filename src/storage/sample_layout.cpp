#include "storage/sample_layout_internal.hpp"

#include <algorithm>
#include <span>
#include <tuple>

namespace sensus::storage {
namespace {

struct Placed {
  std::int16_t bucket;
  std::int32_t day;
  SeriesId series;
  std::uint32_t order;  ///< Of arrival: the later of two equal ones wins.
  std::int64_t time_us;
  double value;
};

Placed place(const SampleRow& sample, std::size_t order) {
  const auto day = std::chrono::floor<std::chrono::days>(sample.time).time_since_epoch().count();
  return {bucket_of(sample.series),          static_cast<std::int32_t>(day), sample.series,
          static_cast<std::uint32_t>(order), to_unix_us(sample.time),        sample.value};
}

bool same_row(const Placed& a, const Placed& b) { return a.bucket == b.bucket && a.day == b.day; }

void append_row(pg::CopyBuffer& out, TenantId tenant, std::span<const Placed> row) {
  const auto [first, last] = std::ranges::minmax(row, {}, &Placed::time_us);
  out.begin_row(7);
  out.int32(tenant);
  out.int16(row.front().bucket);
  out.time(from_unix_us(first.time_us));
  out.time(from_unix_us(last.time_us));
  out.begin_int32_array(row.size());
  for (const Placed& sample : row) {
    out.int32(sample.series);
  }
  out.begin_time_array(row.size());
  for (const Placed& sample : row) {
    out.time(from_unix_us(sample.time_us));
  }
  out.begin_number_array(row.size());
  for (const Placed& sample : row) {
    out.number(sample.value);
  }
}

}  // namespace

pg::CopyBuffer encode_samples(TenantId tenant, const std::vector<SampleRow>& samples) {
  std::vector<Placed> placed;
  placed.reserve(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    placed.push_back(place(samples[i], i));
  }
  std::ranges::sort(placed, [](const Placed& a, const Placed& b) {
    return std::tie(a.bucket, a.day, a.series, a.time_us, b.order) <
           std::tie(b.bucket, b.day, b.series, b.time_us, a.order);
  });
  // Equal ones stand side by side, the latest first: unique keeps it.
  const auto repeated = std::ranges::unique(placed, [](const Placed& a, const Placed& b) {
    return a.series == b.series && a.time_us == b.time_us;
  });
  placed.erase(repeated.begin(), repeated.end());
  pg::CopyBuffer out;
  out.reserve(placed.size() * 32 + 4096);
  for (std::size_t at = 0; at < placed.size();) {
    std::size_t end = at;
    while (end < placed.size() && end - at < kSamplesPerRow && same_row(placed[at], placed[end])) {
      ++end;
    }
    append_row(out, tenant, std::span(placed).subspan(at, end - at));
    at = end;
  }
  return out;
}

}  // namespace sensus::storage
