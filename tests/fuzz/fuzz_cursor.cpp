#include "fuzz.hpp"

#include "sensus/codec/model_json.hpp"

using namespace sensus;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text = fuzz::text_of(bytes, size);
  if (const auto key = codec::parse_cursor(text)) {
    SENSUS_ASSERT(codec::render_cursor(*key) == text);
  }
  return 0;
}
