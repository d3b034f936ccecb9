#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace sensus::ml {

/// A feature in two bytes: IEEE half precision (11 bits of mantissa) with its bits rearranged so
/// that codes sort as the numbers do. Trees compare codes, reservoirs keep them. Numbers must be
/// scaled into about 2^-14..2^15 first; larger ones become the largest.
using Code16 = std::uint16_t;

inline constexpr Code16 kCodeZero = 0x8000;
inline constexpr float kCodeMax = 65504.0F;

[[nodiscard]] inline Code16 encode16(float scaled) {
  const float magnitude = std::min(std::abs(scaled), kCodeMax);
  // A multiplication moves the exponent and makes subnormals where needed; adding half a unit
  // rounds.
  const auto bits = std::bit_cast<std::uint32_t>(magnitude * 0x1p-112F) + 0x1000U;
  const auto half = static_cast<std::uint32_t>(bits >> 13U);
  return static_cast<Code16>(scaled < 0 ? kCodeZero - half : kCodeZero + half);
}

[[nodiscard]] inline float decode16(Code16 code) {
  const std::uint32_t half = code < kCodeZero ? static_cast<std::uint32_t>(kCodeZero - code)
                                              : static_cast<std::uint32_t>(code - kCodeZero);
  const float magnitude = std::bit_cast<float>(half << 13U) * 0x1p112F;
  return code < kCodeZero ? -magnitude : magnitude;
}

}  // namespace sensus::ml
