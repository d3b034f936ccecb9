#include "sensus/core/byte_size.hpp"

#include <array>
#include <charconv>
#include <limits>

namespace sensus {
namespace {

struct Unit {
  std::string_view suffix;
  unsigned shift;
};
constexpr std::array<Unit, 4> kUnits{{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}}};

}  // namespace

Result<ByteSize> parse_byte_size(std::string_view text) {
  std::size_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& unit : kUnits) {
    if (ec == std::errc{} && suffix == unit.suffix && number <= (std::numeric_limits<std::size_t>::max() >> unit.shift)) {
      return ByteSize{number << unit.shift};
    }
  }
  return make_error(Errc::invalid_input, "'" + std::string(text) + "' is not a size: write a whole number and a unit, e.g. 64MiB (B, KiB, MiB, GiB)");
}

std::string render_byte_size(ByteSize size) {
  for (const Unit& unit : kUnits) {
    const std::size_t one = std::size_t{1} << unit.shift;
    if (size.bytes >= one && size.bytes % one == 0) {
      return std::to_string(size.bytes >> unit.shift) + std::string(unit.suffix);
    }
  }
  return "0B";
}

}  // namespace sensus
