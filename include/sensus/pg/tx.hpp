#pragma once

#include "sensus/core/time.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::pg {

/// Parameters $1.. of one statement, in order. Arrays become PostgreSQL array literals.
class Params {
 public:
  Params& text(std::string_view value);
  Params& text_or_null(const std::optional<std::string>& value);
  Params& integer(std::int64_t value);
  Params& number(double value);
  Params& boolean(bool value);
  Params& bytes(std::span<const std::uint8_t> value);
  Params& time(Timestamp value);
  Params& time_or_null(const std::optional<Timestamp>& value);
  Params& null();
  Params& texts(const std::vector<std::string>& values);
  Params& texts_or_null(const std::vector<std::optional<std::string>>& values);
  Params& integers(const std::vector<std::int64_t>& values);
  Params& numbers(const std::vector<double>& values);
  Params& times(const std::vector<Timestamp>& values);
  Params& times_or_null(const std::vector<std::optional<Timestamp>>& values);
  Params& byteas(const std::vector<std::vector<std::uint8_t>>& values);

  [[nodiscard]] const std::vector<std::optional<std::string>>& values() const { return values_; }

 private:
  std::vector<std::optional<std::string>> values_;
};

/// A result set; owns its memory. Columns by index from 0. Getters throw on NULL or a value of another type (a bug).
class Rows {
 public:
  struct Impl;
  explicit Rows(std::shared_ptr<const Impl> impl);
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// Rows an INSERT/UPDATE/DELETE touched.
  [[nodiscard]] std::size_t affected() const;
  [[nodiscard]] bool is_null(std::size_t row, std::size_t column) const;
  [[nodiscard]] std::string_view text(std::size_t row, std::size_t column) const;
  [[nodiscard]] std::int64_t integer(std::size_t row, std::size_t column) const;
  [[nodiscard]] double number(std::size_t row, std::size_t column) const;
  [[nodiscard]] bool boolean(std::size_t row, std::size_t column) const;
  [[nodiscard]] std::vector<std::uint8_t> bytes(std::size_t row, std::size_t column) const;
  /// Sessions run in UTC with ISO dates.
  [[nodiscard]] Timestamp time(std::size_t row, std::size_t column) const;
  [[nodiscard]] std::optional<Timestamp> time_or_null(std::size_t row, std::size_t column) const;
  /// Arrays of one dimension without NULLs.
  [[nodiscard]] std::vector<std::int64_t> integers(std::size_t row, std::size_t column) const;
  [[nodiscard]] std::vector<double> numbers(std::size_t row, std::size_t column) const;
  [[nodiscard]] std::vector<Timestamp> times(std::size_t row, std::size_t column) const;

 private:
  std::shared_ptr<const Impl> impl_;
};

/// An open transaction, valid inside a `Database::transact` job only. **Errors**: throws; the job lets exceptions pass, they are
/// mapped once where the transaction is run.
class Tx {
 public:
  virtual ~Tx() = default;
  /// `sql` is a literal, never built from input; it is prepared once a session.
  virtual Rows exec(std::string_view sql, const Params& params = {}) = 0;
};

}  // namespace sensus::pg
