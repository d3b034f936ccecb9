#include "fuzz.hpp"

#include "sensus/codec/exposition_text.hpp"

using namespace sensus;

namespace {

void check(std::string_view body, codec::ExpositionFormat format) {
  const model::InputLimits limits;
  const auto result = codec::parse_exposition(body, format, fuzz::now(), limits);
  if (!result) {
    SENSUS_ASSERT(result.error().code == Errc::invalid_input &&
                  result.error().field.starts_with("line "));
    fuzz::check_error(result.error());
    return;
  }
  for (std::size_t i = 0; i < result->metadata.size(); ++i) {
    const auto entry = result->metadata[i];
    SENSUS_ASSERT(!entry.family.empty() && !to_string(entry.type).empty());
    SENSUS_ASSERT(is_utf8(entry.family) && is_utf8(entry.unit) && is_utf8(entry.help));
  }
  for (const auto& row : result->samples.rows()) {
    SENSUS_ASSERT(model::check_timestamp(row.time, fuzz::now(), limits, "t"));
    const std::string_view key = result->samples.key(row);
    const auto name = model::decode_series_key(key);
    SENSUS_ASSERT(name.has_value());
    SENSUS_ASSERT(model::check_metric_name(name->metric_name, limits, "n") &&
                  model::check_labels(name->labels, limits, "l"));
    SENSUS_ASSERT(model::encode_series_key(name->metric_name, name->labels) == key);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view body = fuzz::text_of(bytes, size);
  check(body, codec::ExpositionFormat::text);
  check(body, codec::ExpositionFormat::open_metrics);
  check(body, codec::exposition_format("", body));
  return 0;
}
