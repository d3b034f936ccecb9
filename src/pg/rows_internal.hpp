#pragma once

#include "sensus/pg/tx.hpp"

namespace sensus::pg {

/// A result set of either driver. Immutable.
struct Rows::Impl {
  virtual ~Impl() = default;
  [[nodiscard]] virtual std::size_t size() const = 0;
  [[nodiscard]] virtual std::size_t affected() const = 0;
  /// nullopt = NULL. Row and column exist.
  [[nodiscard]] virtual std::optional<std::string_view> cell(std::size_t row,
                                                             std::size_t column) const = 0;
};

/// PostgreSQL's ISO output in UTC, `2026-11-20 09:11:41.123456+00`. Throws std::logic_error (a bug:
/// the statement and its reader disagree).
[[nodiscard]] Timestamp parse_pg_time(std::string_view text);
/// `\x0aff`. Throws std::logic_error (a bug: the statement and its reader disagree).
[[nodiscard]] std::vector<std::uint8_t> parse_pg_bytes(std::string_view text);

}  // namespace sensus::pg
