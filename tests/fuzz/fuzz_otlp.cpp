#include "fuzz.hpp"

#include "sensus/codec/delta_sums.hpp"
#include "sensus/codec/otlp.hpp"

#include <cmath>

using namespace sensus;

namespace {

constexpr std::size_t kBytesMax = 1 << 20;

void check_rows(const model::SampleBatch& batch, bool increments) {
  const model::InputLimits limits;
  for (const auto& row : batch.rows()) {
    SENSUS_ASSERT(!increments || std::isfinite(row.value));
    SENSUS_ASSERT(model::check_timestamp(row.time, fuzz::now(), limits, "t"));
    const auto name = model::decode_series_key(batch.key(row));
    SENSUS_ASSERT(name.has_value());
    SENSUS_ASSERT(model::check_metric_name(name->metric_name, limits, "n"));
    // A bucket or a quantile is one label more than the point's own.
    SENSUS_ASSERT(name->labels.size() <= limits.label_count_max + 1);
    SENSUS_ASSERT(model::encode_series_key(name->metric_name, name->labels) == batch.key(row));
  }
}

void check(std::string_view text, codec::OtlpFormat format) {
  auto result = codec::parse_otlp_metrics(text, format, fuzz::now(), {}, kBytesMax);
  if (!result) {
    SENSUS_ASSERT(result.error().code == Errc::invalid_input || result.error().code == Errc::too_large);
    fuzz::check_error(result.error());
    return;
  }
  SENSUS_ASSERT((result->rejected_points == 0) == result->rejection.empty());
  check_rows(result->samples, false);
  check_rows(result->deltas, true);
  for (std::size_t i = 0; i < result->metadata.size(); ++i) {
    SENSUS_ASSERT(!result->metadata[i].family.empty() && !to_string(result->metadata[i].type).empty());
  }
  codec::DeltaSums sums(3);
  sums.add(result->deltas, result->samples);
  SENSUS_ASSERT(sums.size() <= 4);
  check_rows(result->samples, false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text = fuzz::text_of(bytes, size);
  check(text, codec::OtlpFormat::protobuf);
  check(text, codec::OtlpFormat::json);
  return 0;
}
