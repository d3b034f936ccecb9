#pragma once

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sensus::codec::test {

/// Writes protobuf by hand, so that the tests know the bytes and not a library's idea of them.
class Proto {
 public:
  static std::string varint_bytes(std::uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7U) {
      out.push_back(static_cast<char>(value | 0x80U));
    }
    out.push_back(static_cast<char>(value));
    return out;
  }
  Proto& varint(unsigned number, std::uint64_t value) {
    out_ += varint_bytes(number << 3U) + varint_bytes(value);
    return *this;
  }
  Proto& bytes(unsigned number, std::string_view value) {
    out_ += varint_bytes(number << 3U | 2U) + varint_bytes(value.size());
    out_ += value;
    return *this;
  }
  Proto& number(unsigned number, std::uint64_t bits) {
    out_ += varint_bytes(number << 3U | 1U);
    for (unsigned shift = 0; shift < 64; shift += 8) {
      out_.push_back(static_cast<char>(bits >> shift));
    }
    return *this;
  }
  Proto& number(unsigned field, double value) {
    return number(field, std::bit_cast<std::uint64_t>(value));
  }
  [[nodiscard]] const std::string& text() const { return out_; }

 private:
  std::string out_;
};

using Pairs = std::vector<std::pair<std::string, std::string>>;

inline std::string label(std::string_view name, std::string_view value) {
  return Proto().bytes(1, name).bytes(2, value).text();
}
inline std::string sample(double value, std::int64_t ms) {
  return Proto().number(1, value).varint(2, static_cast<std::uint64_t>(ms)).text();
}
inline std::string stale(std::int64_t ms) {
  return Proto()
      .number(1, std::uint64_t{0x7ff0000000000002})
      .varint(2, static_cast<std::uint64_t>(ms))
      .text();
}

inline std::string series_v1(const Pairs& labels, const std::vector<std::string>& samples) {
  Proto out;
  for (const auto& [name, value] : labels) {
    out.bytes(1, label(name, value));
  }
  for (const std::string& one : samples) {
    out.bytes(2, one);
  }
  return out.text();
}
inline std::string request_v1(const std::vector<std::string>& all) {
  Proto out;
  for (const std::string& one : all) {
    out.bytes(1, one);
  }
  return out.text();
}

inline std::string packed(const std::vector<std::uint64_t>& refs) {
  std::string out;
  for (const std::uint64_t ref : refs) {
    out += Proto::varint_bytes(ref);
  }
  return out;
}
inline std::string series_v2(const std::vector<std::uint64_t>& refs,
                             const std::vector<std::string>& samples) {
  Proto out;
  out.bytes(1, packed(refs));
  for (const std::string& one : samples) {
    out.bytes(2, one);
  }
  return out.text();
}
inline std::string request_v2(const std::vector<std::string>& symbols,
                              const std::vector<std::string>& all) {
  Proto out;
  for (const std::string& symbol : symbols) {
    out.bytes(4, symbol);
  }
  for (const std::string& one : all) {
    out.bytes(5, one);
  }
  return out.text();
}

}  // namespace sensus::codec::test
