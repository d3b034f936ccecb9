#pragma once

#include "sensus/core/time.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sensus::pg {

/// Rows in PostgreSQL's binary COPY format, built in memory. Fields must follow the column list and
/// types of the statement that they are sent with; a mismatch is refused by the server. Pure; any
/// thread.
class CopyBuffer {
 public:
  CopyBuffer();
  void begin_row(std::int16_t columns);
  void int16(std::int16_t value);
  void int32(std::int32_t value);
  void int64(std::int64_t value);
  void number(double value);
  void text(std::string_view value);
  /// JSON text for a jsonb column.
  void jsonb(std::string_view json);
  void bytes(std::span<const std::uint8_t> value);
  void time(Timestamp value);
  void null();
  /// One-dimensional arrays without NULLs: `begin_array` for so many elements, then each of them by
  /// the method of its type.
  void begin_int32_array(std::size_t count);
  void begin_time_array(std::size_t count);
  void begin_number_array(std::size_t count);

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] const std::string& data() const { return data_; }
  void reserve(std::size_t bytes) { data_.reserve(bytes); }

 private:
  void begin_array(std::uint32_t type, std::size_t count, std::size_t element_bytes);
  std::string data_;
  std::size_t rows_ = 0;
};

}  // namespace sensus::pg
