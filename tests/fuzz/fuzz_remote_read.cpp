#include "fuzz.hpp"

#include "sensus/codec/remote_read.hpp"
#include "sensus/codec/snappy_block.hpp"

using namespace sensus;

namespace {

void check(std::string_view message) {
  const auto queries = codec::parse_remote_read(message);
  if (!queries) {
    SENSUS_ASSERT(queries.error().code != Errc::internal);
    fuzz::check_error(queries.error());
    return;
  }
  SENSUS_ASSERT(!queries->empty() && queries->size() <= codec::kRemoteReadQueriesMax);
  for (const auto& query : *queries) {
    SENSUS_ASSERT(!query.selector.empty() && query.selector.size() <= model::kSelectorMatchersMax);
    SENSUS_ASSERT(to_unix_us(query.from) >= 0 && to_unix_us(query.to) > 0);
    for (const auto& matcher : query.selector) {
      SENSUS_ASSERT(!matcher.name.empty() && is_utf8(matcher.name) && is_utf8(matcher.value));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view body = fuzz::text_of(bytes, size);
  check(body);
  if (const auto unpacked = codec::unpack_snappy(body, 1 << 20)) {
    check(*unpacked);
  }
  return 0;
}
