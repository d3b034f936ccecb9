#pragma once

#include "sensus/core/time.hpp"
#include "sensus/model/labels.hpp"

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sensus::codec {

/// Builds one JSON text front to back. The caller keeps members and brackets in order; commas are put by the writer.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag) { return raw(flag ? "true" : "false"); }
  /// Shortest text that reads back to the same double; null when not finite, which JSON cannot say.
  JsonWriter& value(double number);
  JsonWriter& value(std::integral auto number) { return integer(static_cast<std::int64_t>(number)); }
  JsonWriter& value(Timestamp time) { return value(std::string_view(render_rfc3339(time))); }
  JsonWriter& value(const model::Labels& labels);
  template <class T>
  JsonWriter& value(const std::optional<T>& maybe) {
    return maybe ? value(*maybe) : raw("null");
  }
  /// Text that is JSON already.
  JsonWriter& raw(std::string_view json);

  template <class T>
  JsonWriter& member(std::string_view name, const T& v) {
    return key(name).value(v);
  }
  JsonWriter& member_raw(std::string_view name, std::string_view json) { return key(name).raw(json); }

  void reserve(std::size_t bytes) { out_.reserve(bytes); }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  JsonWriter& integer(std::int64_t number);
  void separate();

  std::string out_;
  bool comma_ = false;
};

/// Appends `"text"` with quotes and escapes.
void append_quoted(std::string& out, std::string_view text);

}  // namespace sensus::codec
