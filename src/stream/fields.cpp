#include "sensus/core/time.hpp"
#include "sensus/stream/stream.hpp"

#include <array>
#include <charconv>
#include <cstdio>

namespace sensus::stream {
namespace {

constexpr std::int64_t kMicros = 1'000'000;

std::string render_ts(Timestamp t) {
  const std::int64_t us = to_unix_us(t);
  std::array<char, 40> text{};
  const int size = std::snprintf(text.data(), text.size(), "%s%lld.%06lld", us < 0 ? "-" : "",
                                 static_cast<long long>(std::abs(us / kMicros)),
                                 static_cast<long long>(std::abs(us % kMicros)));
  return {text.data(), static_cast<std::size_t>(size)};
}

/// Whole and fraction apart: a double would lose microseconds.
std::optional<Timestamp> parse_ts(std::string_view text) {
  const bool negative = text.starts_with('-');
  text.remove_prefix(negative ? 1 : 0);
  const std::size_t dot = text.find('.');
  const std::string_view whole_text = text.substr(0, dot);
  std::string fraction_text(dot == std::string_view::npos ? std::string_view{}
                                                          : text.substr(dot + 1));
  fraction_text.resize(6, '0');
  std::int64_t whole = 0;
  std::int64_t fraction = 0;
  const auto whole_end =
      std::from_chars(whole_text.data(), whole_text.data() + whole_text.size(), whole);
  const auto fraction_end =
      std::from_chars(fraction_text.data(), fraction_text.data() + fraction_text.size(), fraction);
  const bool whole_ok = !whole_text.empty() && whole_end.ec == std::errc{} &&
                        whole_end.ptr == whole_text.data() + whole_text.size();
  const bool fraction_ok = fraction_end.ec == std::errc{} &&
                           fraction_end.ptr == fraction_text.data() + fraction_text.size() &&
                           fraction >= 0;
  if (!whole_ok || !fraction_ok || whole < 0 || whole > 253'402'300'799) {
    return std::nullopt;
  }
  const std::int64_t us = whole * kMicros + fraction;
  return from_unix_us(negative ? -us : us);
}

const std::string* text_at(const redis::Reply::Array& fields, std::size_t at) {
  return fields[at].text();
}

}  // namespace

std::vector<std::string> render_fields(const model::Event& event) {
  return {"type", event.type,
          "data", event.payload,
          "ts",   render_ts(event.created_at),
          "id",   std::to_string(event.id)};
}

std::optional<model::Event> parse_fields(model::Topic topic, const redis::Reply& fields) {
  const redis::Reply::Array* pairs = fields.array();
  if (pairs == nullptr || pairs->size() % 2 != 0) {
    return std::nullopt;
  }
  const std::string* type = nullptr;
  const std::string* data = nullptr;
  const std::string* ts = nullptr;
  const std::string* id = nullptr;
  for (std::size_t i = 0; i < pairs->size(); i += 2) {
    const std::string* name = text_at(*pairs, i);
    if (name == nullptr) {
      return std::nullopt;
    }
    const std::string** slot = *name == "type"   ? &type
                               : *name == "data" ? &data
                               : *name == "ts"   ? &ts
                               : *name == "id"   ? &id
                                                 : nullptr;
    if (slot != nullptr) {
      *slot = text_at(*pairs, i + 1);
    }
  }
  if (type == nullptr || data == nullptr || ts == nullptr || id == nullptr || type->empty() ||
      data->empty()) {
    return std::nullopt;
  }
  model::Event event;
  const auto id_end = std::from_chars(id->data(), id->data() + id->size(), event.id);
  const std::optional<Timestamp> created_at = parse_ts(*ts);
  if (id_end.ec != std::errc{} || id_end.ptr != id->data() + id->size() || event.id < 0 ||
      !created_at) {
    return std::nullopt;
  }
  event.topic = topic;
  event.type = *type;
  event.payload = *data;
  event.created_at = *created_at;
  return event;
}

}  // namespace sensus::stream
