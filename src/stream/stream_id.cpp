#include "stream_id_internal.hpp"

#include "sensus/core/parse_number.hpp"

namespace sensus::stream {
std::optional<StreamId> parse_stream_id(std::string_view text) {
  const std::size_t dash = text.find('-');
  const std::optional<std::uint64_t> ms = parse_number<std::uint64_t>(text.substr(0, dash));
  const std::optional<std::uint64_t> seq =
      dash == std::string_view::npos ? 0 : parse_number<std::uint64_t>(text.substr(dash + 1));
  if (!ms || !seq) {
    return std::nullopt;
  }
  return StreamId{*ms, *seq};
}

std::string render_stream_id(StreamId id) {
  return std::to_string(id.ms) + "-" + std::to_string(id.seq);
}

}  // namespace sensus::stream
