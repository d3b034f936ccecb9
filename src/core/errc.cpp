#include "sensus/core/errc.hpp"

#include "sensus/core/assert.hpp"

#include <array>

namespace sensus {
namespace {

struct Row {
  Errc code;
  ErrcTraits traits;
};

constexpr std::array<Row, 15> kTable{{
    {Errc::invalid_input, {"invalid_input", "Invalid input", 400, false}},
    {Errc::unauthenticated, {"unauthenticated", "Authentication required", 401, false}},
    {Errc::forbidden, {"forbidden", "Not allowed", 403, false}},
    {Errc::not_found, {"not_found", "Not found", 404, false}},
    {Errc::already_exists, {"already_exists", "Already exists", 409, false}},
    {Errc::conflict, {"conflict", "Conflict", 409, false}},
    {Errc::too_large, {"too_large", "Too large", 413, false}},
    {Errc::unsupported, {"unsupported", "Unsupported media type", 415, false}},
    {Errc::overloaded, {"overloaded", "Overloaded", 503, true}},
    {Errc::timeout, {"timeout", "Deadline passed", 503, true}},
    {Errc::cancelled, {"cancelled", "Shutting down", 503, true}},
    {Errc::unavailable, {"unavailable", "Dependency unavailable", 503, true}},
    {Errc::in_doubt, {"in_doubt", "Outcome unknown", 503, true}},
    {Errc::corrupt, {"corrupt", "Corrupt data", 500, false}},
    {Errc::internal, {"internal", "Internal error", 500, false}},
}};

constexpr bool in_enum_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].code) != i) {
      return false;
    }
  }
  return true;
}
static_assert(in_enum_order());

}  // namespace

const ErrcTraits& traits_of(Errc code) noexcept {
  const auto index = static_cast<std::size_t>(code);
  SENSUS_ASSERT(index < kTable.size());
  return kTable[index].traits;
}

}  // namespace sensus
