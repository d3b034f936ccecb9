#include "fuzz.hpp"

#include "sensus/codec/model_json.hpp"

#include <cmath>

using namespace sensus;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto batch = codec::parse_step_batch(fuzz::text_of(bytes, size));
  if (!batch) {
    SENSUS_ASSERT(batch.error().code == Errc::corrupt);
    fuzz::check_error(batch.error());
    return 0;
  }
  const auto again = codec::parse_step_batch(codec::render_step_batch(*batch));
  SENSUS_ASSERT(again && again->tenant == batch->tenant && again->step == batch->step);
  SENSUS_ASSERT(again->points.size() == batch->points.size());
  for (std::size_t i = 0; i < batch->points.size(); ++i) {
    SENSUS_ASSERT(std::isfinite(batch->points[i].value) && again->points[i].value == batch->points[i].value);
    SENSUS_ASSERT(again->points[i].series_id == batch->points[i].series_id && again->points[i].time == batch->points[i].time);
  }
  return 0;
}
