#include "storage/sample_layout_internal.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <stdexcept>
#include <vector>

namespace sensus::storage {
namespace {

struct Placed {
  std::int64_t time_us;
  double value;
  SeriesId series;
  std::int32_t day;
  std::uint32_t order;  ///< Of arrival: the later of two equal ones wins.
};

constexpr std::int64_t kDayUs = std::chrono::microseconds(std::chrono::days{1}).count();

std::int32_t day_of(std::int64_t time_us) {
  return static_cast<std::int32_t>((time_us >= 0 ? time_us : time_us - kDayUs + 1) / kDayUs);
}

SeriesId id_of(const SampleRow& sample, const std::vector<SeriesId>& fresh) {
  if (sample.series > 0) {
    return sample.series;
  }
  const auto index = static_cast<std::size_t>(-(sample.series + 1));
  if (index >= fresh.size()) {
    throw std::logic_error("a sample refers to no series");
  }
  return fresh[index];
}

/// The samples of each bucket side by side: most of the sorting, in two passes. `ends` tells where each bucket ends.
std::vector<Placed> by_bucket(const std::vector<SampleRow>& samples, const std::vector<SeriesId>& fresh,
                              std::array<std::size_t, kBuckets>& ends) {
  std::array<std::size_t, kBuckets> counts{};
  for (const SampleRow& sample : samples) {
    if (const SeriesId id = id_of(sample, fresh); id != 0) {
      ++counts[static_cast<std::size_t>(bucket_of(id))];
    }
  }
  std::exclusive_scan(counts.begin(), counts.end(), ends.begin(), std::size_t{0});
  std::vector<Placed> placed(ends.back() + counts.back());
  std::uint32_t order = 0;
  for (const SampleRow& sample : samples) {
    if (const SeriesId id = id_of(sample, fresh); id != 0) {
      const std::int64_t time_us = to_unix_us(sample.time);
      placed[ends[static_cast<std::size_t>(bucket_of(id))]++] = {time_us, sample.value, id, day_of(time_us), order++};
    }
  }
  return placed;
}

bool comes_before(const Placed& a, const Placed& b) {
  if (a.day != b.day) {
    return a.day < b.day;
  }
  if (a.series != b.series) {
    return a.series < b.series;
  }
  return a.time_us != b.time_us ? a.time_us < b.time_us : a.order > b.order;
}

/// Sorts one bucket and leaves the later of two equal ones only. Returns the new end.
std::span<Placed> arrange(std::span<Placed> bucket) {
  if (!std::ranges::is_sorted(bucket, comes_before)) {
    std::ranges::sort(bucket, comes_before);
  }
  // Equal ones stand side by side, the latest first: unique keeps it.
  const auto repeated = std::ranges::unique(
      bucket, [](const Placed& a, const Placed& b) { return a.series == b.series && a.time_us == b.time_us; });
  return bucket.first(bucket.size() - repeated.size());
}

void append_row(pg::CopyBuffer& out, TenantId tenant, std::span<const Placed> row) {
  const auto [first, last] = std::ranges::minmax(row, {}, &Placed::time_us);
  out.begin_row(7);
  out.int32(tenant);
  out.int16(bucket_of(row.front().series));
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

EncodedSamples encode_samples(TenantId tenant, const std::vector<SampleRow>& samples, const std::vector<SeriesId>& fresh) {
  std::array<std::size_t, kBuckets> ends{};
  std::vector<Placed> placed = by_bucket(samples, fresh, ends);
  EncodedSamples out;
  out.stored = placed.size();
  out.rows.reserve(placed.size() * 32 + 4096 + kBuckets * 128);
  std::size_t begin = 0;
  for (const std::size_t bucket_end : ends) {
    std::span<const Placed> left = arrange(std::span(placed).subspan(begin, bucket_end - begin));
    begin = bucket_end;
    while (!left.empty()) {
      std::size_t size = 1;
      while (size < left.size() && size < kSamplesPerRow && left[size].day == left.front().day) {
        ++size;
      }
      append_row(out.rows, tenant, left.first(size));
      left = left.subspan(size);
    }
  }
  return out;
}

}  // namespace sensus::storage
