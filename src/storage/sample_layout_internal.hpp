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

struct EncodedSamples {
  pg::CopyBuffer rows;
  std::size_t stored = 0;  ///< Samples that came, but for those without a series.
};
/// Rows of sample_batches, in the column order of kCopySamples: sorted by bucket and UTC day, a row for each, of two samples of a
/// series and time the later one only. In a row the samples of a series stand side by side, ascending: readers take them out as one
/// slice. `fresh` holds the ids that negative references mean; samples whose id there is 0 are left
/// out. Throws std::logic_error on a reference to nothing. Pure.
[[nodiscard]] EncodedSamples encode_samples(TenantId tenant, const std::vector<SampleRow>& samples,
                                            const std::vector<SeriesId>& fresh = {});
inline constexpr std::string_view kCopySamples =
    "copy sensus.sample_batches (tenant_id, bucket, t_min, t_max, series_id, ts, value) from stdin "
    "(format binary)";

}  // namespace sensus::storage
