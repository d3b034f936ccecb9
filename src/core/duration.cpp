#include "sensus/core/time.hpp"

#include <array>
#include <charconv>
#include <limits>

namespace sensus {
namespace {

struct Unit {
  std::string_view suffix;
  std::int64_t ms;
};
// "ms" before "m": the longer suffix is tried first.
constexpr std::array<Unit, 5> kUnits{{{"ms", 1}, {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}}};
constexpr std::array<Unit, 5> kDescending{{{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

Error not_a_duration(std::string_view text) {
  return make_error(Errc::invalid_input,
                    "'" + std::string(text) + "' is not a duration: write e.g. 250ms, 15s, 5m, 2h, 30d or 1h30m");
}

const Unit* unit_at(std::string_view rest) {
  for (const Unit& unit : kUnits) {
    if (rest.starts_with(unit.suffix)) {
      return &unit;
    }
  }
  return nullptr;
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  if (text == "0") {
    return std::chrono::milliseconds{0};
  }
  std::int64_t total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    std::int64_t number = 0;
    const auto [end, ec] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (ec != std::errc{} || number < 0) {
      return not_a_duration(text);
    }
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const Unit* unit = unit_at(rest);
    std::int64_t part = 0;
    if (unit == nullptr || __builtin_mul_overflow(number, unit->ms, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return not_a_duration(text);
    }
    rest.remove_prefix(unit->suffix.size());
  }
  if (text.empty() || total > std::numeric_limits<std::int64_t>::max() / 1'000'000) {
    return not_a_duration(text);
  }
  return std::chrono::milliseconds{total};
}

std::string render_duration(std::chrono::milliseconds d) {
  std::int64_t rest = d.count();
  if (rest <= 0) {
    return "0s";
  }
  std::string out;
  for (const Unit& unit : kDescending) {
    if (rest >= unit.ms) {
      out += std::to_string(rest / unit.ms) + std::string(unit.suffix);
      rest %= unit.ms;
    }
  }
  return out;
}

}  // namespace sensus
