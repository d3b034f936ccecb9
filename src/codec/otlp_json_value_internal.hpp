#pragma once

#include "json_scanner_internal.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sensus::codec::otlp {

// The JSON of protobuf: members in lowerCamelCase in any order, unknown ones ignored, null the same
// as absent, of repeated ones the last; 64-bit integers as strings or numbers; numbers that JSON
// cannot say as strings.

/// Calls `visit(name)` for every member that is not null; it consumes the value.
template <class Visit>
bool json_members(JsonScanner& in, Visit visit) {
  if (!in.begin_object()) {
    return false;
  }
  std::string_view name;
  while (in.next_member(name)) {
    if (!(in.peek() == 'n' ? in.read_null() : visit(name))) {
      return false;
    }
  }
  return in.ok();
}

/// Calls `visit()` for every element; it consumes the element.
template <class Visit>
bool json_elements(JsonScanner& in, Visit visit) {
  if (!in.begin_array()) {
    return false;
  }
  while (in.next_element()) {
    if (!visit()) {
      return false;
    }
  }
  return in.ok();
}

[[nodiscard]] bool read_json_integer(JsonScanner& in, std::int64_t& out);
[[nodiscard]] bool read_json_integer(JsonScanner& in, std::uint64_t& out);
[[nodiscard]] bool read_json_real(JsonScanner& in, double& out);
[[nodiscard]] bool read_json_bool(JsonScanner& in, bool& out);

/// An AnyValue as text, as append_any_value renders it. `depth` 0: text stands without quotes.
[[nodiscard]] bool append_json_value(JsonScanner& in, std::string& out, int depth);
/// A KeyValue.
[[nodiscard]] bool read_json_pair(JsonScanner& in, std::string& key, std::string& value, int depth);

}  // namespace sensus::codec::otlp
