#include "fuzz.hpp"

#include "sensus/codec/remote_write.hpp"
#include "sensus/codec/snappy_block.hpp"

using namespace sensus;

namespace {

void check(std::string_view message, codec::RemoteWriteVersion version) {
  constexpr std::size_t kKeyBytesMax = 1 << 20;
  const model::InputLimits limits;
  const auto write = codec::parse_remote_write(message, version, fuzz::now(), limits, kKeyBytesMax);
  if (!write) {
    SENSUS_ASSERT(write.error().code == Errc::invalid_input ||
                  write.error().code == Errc::too_large);
    fuzz::check_error(write.error());
    return;
  }
  SENSUS_ASSERT(write->first_refusal.has_value() ==
                (write->refused_samples + write->refused_series > 0));
  if (write->first_refusal) {
    fuzz::check_error(*write->first_refusal);
  }
  for (std::size_t i = 0; i < write->metadata.size(); ++i) {
    const auto entry = write->metadata[i];
    SENSUS_ASSERT(!to_string(entry.type).empty());
    SENSUS_ASSERT(entry.family.size() + entry.unit.size() + entry.help.size() <= 3 * message.size());
  }
  for (const auto& row : write->samples.rows()) {
    SENSUS_ASSERT(model::check_timestamp(row.time, fuzz::now(), limits, "t"));
    const auto name = model::decode_series_key(write->samples.key(row));
    SENSUS_ASSERT(name.has_value());
    SENSUS_ASSERT(model::check_metric_name(name->metric_name, limits, "n") &&
                  model::check_labels(name->labels, limits, "l"));
    SENSUS_ASSERT(model::encode_series_key(name->metric_name, name->labels) ==
                  write->samples.key(row));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view body = fuzz::text_of(bytes, size);
  for (const auto version : {codec::RemoteWriteVersion::v1, codec::RemoteWriteVersion::v2}) {
    check(body, version);
    if (const auto unpacked = codec::unpack_snappy(body, 1 << 20)) {
      check(*unpacked, version);
    }
  }
  return 0;
}
