#include "fuzz.hpp"

#include "sensus/codec/exposition_text.hpp"

using namespace sensus;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const model::InputLimits limits;
  const auto result = codec::parse_exposition_text(fuzz::text_of(bytes, size), fuzz::now(), limits);
  if (!result) {
    SENSUS_ASSERT(result.error().code == Errc::invalid_input &&
                  result.error().field.starts_with("line "));
    fuzz::check_error(result.error());
    return 0;
  }
  for (const auto& row : result->rows()) {
    SENSUS_ASSERT(model::check_timestamp(row.time, fuzz::now(), limits, "t"));
    const auto name = model::decode_series_key(result->key(row));
    SENSUS_ASSERT(name.has_value());
    SENSUS_ASSERT(model::check_metric_name(name->metric_name, limits, "n") &&
                  model::check_labels(name->labels, limits, "l"));
    SENSUS_ASSERT(model::encode_series_key(name->metric_name, name->labels) == result->key(row));
  }
  return 0;
}
