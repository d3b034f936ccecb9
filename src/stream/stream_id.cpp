#include "stream_id_internal.hpp"

#include <charconv>

namespace sensus::stream {
namespace {

std::optional<std::uint64_t> parse_part(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, value);
  if (text.empty() || failed != std::errc{} || stop != end) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::optional<StreamId> parse_stream_id(std::string_view text) {
  const std::size_t dash = text.find('-');
  const std::optional<std::uint64_t> ms = parse_part(text.substr(0, dash));
  const std::optional<std::uint64_t> seq =
      dash == std::string_view::npos ? 0 : parse_part(text.substr(dash + 1));
  if (!ms || !seq) {
    return std::nullopt;
  }
  return StreamId{*ms, *seq};
}

std::string render_stream_id(StreamId id) {
  return std::to_string(id.ms) + "-" + std::to_string(id.seq);
}

}  // namespace sensus::stream
