#pragma once

#include "sensus/pg/copy_buffer.hpp"
#include "sensus/storage/samples.hpp"

#include <cstdint>
#include <vector>

namespace sensus::storage {

/// The number of buckets; sample_bucket() in SQL says the same, and a test compares them.
inline constexpr std::int32_t kBuckets = 64;
[[nodiscard]] constexpr std::int16_t bucket_of(SeriesId series) {
  return static_cast<std::int16_t>(series % kBuckets);
}
/// Longest array of one row: more would make reading one series costlier, fewer would cost more row
/// headers.
inline constexpr std::size_t kSamplesPerRow = 1024;

/// Rows of sample_batches, in the column order of kCopySamples, for samples whose series are all
/// known (positive): sorted by bucket and UTC day, a row for each, of two samples of a series and
/// time the later one only. Pure.
[[nodiscard]] pg::CopyBuffer encode_samples(TenantId tenant, const std::vector<SampleRow>& samples);
inline constexpr std::string_view kCopySamples =
    "copy sensus.sample_batches (tenant_id, bucket, t_min, t_max, series_id, ts, value) from stdin "
    "(format binary)";

}  // namespace sensus::storage
