#include "sensus/pg/copy_buffer.hpp"

#include "sensus/core/assert.hpp"

#include <bit>
#include <limits>

namespace sensus::pg {
namespace {

// "File Formats" of PostgreSQL's COPY reference: signature, flags, length of the header extension.
constexpr std::string_view kHeader{"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};
// Object ids of pg_type; fixed for built-in types.
constexpr std::uint32_t kInt4 = 23;
constexpr std::uint32_t kFloat8 = 701;
constexpr std::uint32_t kTimestamptz = 1184;
// PostgreSQL counts microseconds from 2000-01-01.
constexpr std::int64_t kEpochUs = 946'684'800'000'000;

template <class T>
void append_big_endian(std::string& out, T value) {
  char bytes[sizeof(T)];
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<char>((value >> ((sizeof(T) - 1 - i) * 8)) & 0xFF);
  }
  out.append(bytes, sizeof(T));
}

void append_length(std::string& out, std::size_t bytes) {
  SENSUS_ASSERT(bytes <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()));
  append_big_endian(out, static_cast<std::uint32_t>(bytes));
}

}  // namespace

CopyBuffer::CopyBuffer() : data_(kHeader) {}

void CopyBuffer::begin_row(std::int16_t columns) {
  ++rows_;
  append_big_endian(data_, static_cast<std::uint16_t>(columns));
}

void CopyBuffer::int16(std::int16_t value) {
  append_length(data_, 2);
  append_big_endian(data_, static_cast<std::uint16_t>(value));
}

void CopyBuffer::int32(std::int32_t value) {
  append_length(data_, 4);
  append_big_endian(data_, static_cast<std::uint32_t>(value));
}

void CopyBuffer::int64(std::int64_t value) {
  append_length(data_, 8);
  append_big_endian(data_, static_cast<std::uint64_t>(value));
}

void CopyBuffer::number(double value) {
  append_length(data_, 8);
  append_big_endian(data_, std::bit_cast<std::uint64_t>(value));
}

void CopyBuffer::text(std::string_view value) {
  append_length(data_, value.size());
  data_ += value;
}

void CopyBuffer::jsonb(std::string_view json) {
  append_length(data_, json.size() + 1);
  data_ += '\1';  // Version of jsonb's binary format.
  data_ += json;
}

void CopyBuffer::bytes(std::span<const std::uint8_t> value) {
  append_length(data_, value.size());
  data_.append(value.begin(), value.end());
}

void CopyBuffer::time(Timestamp value) { int64(to_unix_us(value) - kEpochUs); }

void CopyBuffer::null() { append_big_endian(data_, ~std::uint32_t{0}); }

void CopyBuffer::begin_array(std::uint32_t type, std::size_t count, std::size_t element_bytes) {
  SENSUS_ASSERT(count > 0);
  append_length(data_, 20 + count * (4 + element_bytes));
  append_big_endian(data_, std::uint32_t{1});  // Dimensions.
  append_big_endian(data_, std::uint32_t{0});  // No NULLs.
  append_big_endian(data_, type);
  append_big_endian(data_, static_cast<std::uint32_t>(count));
  append_big_endian(data_, std::uint32_t{1});  // Lower bound.
}

void CopyBuffer::begin_int32_array(std::size_t count) { begin_array(kInt4, count, 4); }
void CopyBuffer::begin_time_array(std::size_t count) { begin_array(kTimestamptz, count, 8); }
void CopyBuffer::begin_number_array(std::size_t count) { begin_array(kFloat8, count, 8); }

}  // namespace sensus::pg
