#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sensus::stream {

/// The id of a stream entry, "<ms>-<seq>". Order is order in the stream; the first part is no clock
/// (it never goes back).
struct StreamId {
  std::uint64_t ms = 0;
  std::uint64_t seq = 0;
  friend auto operator<=>(const StreamId&, const StreamId&) = default;
};

/// "123-4", or "123", which means "123-0". nullopt for anything else.
[[nodiscard]] std::optional<StreamId> parse_stream_id(std::string_view text);
[[nodiscard]] std::string render_stream_id(StreamId id);

}  // namespace sensus::stream
