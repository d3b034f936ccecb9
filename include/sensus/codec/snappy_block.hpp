#pragma once

#include "sensus/core/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace sensus::codec {

/// Undoes snappy's block format (not the framed one). The declared length is checked before
/// anything is allocated.
/// **Errors**: too_large when it declares more than `bytes_max`, invalid_input when it is no snappy
/// block. Pure.
[[nodiscard]] Result<std::string> unpack_snappy(std::string_view packed, std::size_t bytes_max);

/// The other way. Pure.
[[nodiscard]] std::string pack_snappy(std::string_view bytes);

}  // namespace sensus::codec
