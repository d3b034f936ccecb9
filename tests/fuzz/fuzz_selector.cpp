#include "fuzz.hpp"

#include "sensus/model/selector.hpp"

using namespace sensus;

namespace {

std::string quote(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  return out + "\"";
}

/// Written out with quotes everywhere, a selector reads the same.
std::string render(const model::Selector& selector) {
  std::string out = "{";
  for (const auto& matcher : selector) {
    out += quote(matcher.name) + std::string(model::to_string(matcher.op)) + quote(matcher.value) +
           ",";
  }
  return out + "}";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text = fuzz::text_of(bytes, size);
  const auto selector = model::parse_selector(text);
  if (selector) {
    SENSUS_ASSERT(!selector->empty() && selector->size() <= model::kSelectorMatchersMax);
    const std::string written = render(*selector);
    if (written.size() <= model::kSelectorBytesMax) {
      const auto again = model::parse_selector(written);
      SENSUS_ASSERT(again && *again == *selector);
    }
  } else {
    SENSUS_ASSERT(selector.error().code == Errc::invalid_input);
    fuzz::check_error(selector.error());
  }
  if (const auto matcher = model::parse_series_matcher(text)) {
    SENSUS_ASSERT(!matcher->name.empty() && is_utf8(matcher->value));
  }
  return 0;
}
