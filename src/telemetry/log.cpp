#include "escape_internal.hpp"
#include "log_internal.hpp"

#include "sensus/core/time.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace sensus::telemetry {
namespace {

std::string_view json_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
    case LogLevel::critical:
      break;
  }
  return "critical";
}

std::string_view text_name(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "DEBUG";
    case LogLevel::info:
      return "INFO ";
    case LogLevel::warning:
      return "WARN ";
    case LogLevel::error:
      return "ERROR";
    case LogLevel::critical:
      break;
  }
  return "CRIT ";
}

/// Always three fraction digits, so that columns line up and collectors see one form.
std::string render_time(std::chrono::system_clock::time_point time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count();
  std::string out = render_rfc3339(Timestamp{whole});
  std::array<char, 8> fraction{};
  const int length = std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(ms));
  out.replace(out.size() - 1, 1, fraction.data(), static_cast<std::size_t>(length));
  return out;
}

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    append_quoted(out, std::isnan(value) ? "NaN" : (value > 0 ? "+Inf" : "-Inf"));
    return;
  }
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out.append(buffer.data(), end);
}

void append_value(std::string& out, const Field& field, bool json) {
  if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
    out += std::to_string(*integer);
  } else if (const auto* number = std::get_if<double>(&field.value)) {
    append_number(out, *number);
  } else if (const auto* boolean = std::get_if<bool>(&field.value)) {
    out += *boolean ? "true" : "false";
  } else {
    const auto text = std::get<std::string_view>(field.value);
    if (!json && is_plain_word(text)) {
      out += text;
    } else {
      append_quoted(out, text);
    }
  }
}

}  // namespace

std::string render_json(const Line& line, std::uint64_t suppressed) {
  std::string out;
  out.reserve(256);
  out += "{\"ts\":\"";
  out += render_time(line.time);
  out += "\",\"level\":\"";
  out += json_name(line.level);
  out += "\",\"msg\":";
  append_quoted(out, line.message);
  out += ",\"component\":";
  append_quoted(out, line.component);
  for (const Field& field : line.fields) {
    out += ',';
    append_quoted(out, field.key);
    out += ':';
    append_value(out, field, true);
  }
  if (suppressed > 0) {
    out += ",\"suppressed\":" + std::to_string(suppressed);
  }
  out += '}';
  return out;
}

std::string render_text(const Line& line, std::uint64_t suppressed) {
  std::string out = render_time(line.time);
  out += ' ';
  out += text_name(line.level);
  out += ' ';
  append_escaped(out, line.component);
  out += ": ";
  append_escaped(out, line.message);
  for (const Field& field : line.fields) {
    out += ' ';
    append_escaped(out, field.key);
    out += '=';
    append_value(out, field, false);
  }
  if (suppressed > 0) {
    out += " suppressed=" + std::to_string(suppressed);
  }
  return out;
}

std::optional<std::uint64_t> Throttle::pass(const std::string& key, TimePoint now) {
  const std::lock_guard lock(mutex_);
  const auto it = seen_.find(key);
  if (it == seen_.end()) {
    make_room();
    seen_.emplace(key, Seen{now, 0});
    return 0;
  }
  if (now - it->second.last < window_) {
    ++it->second.suppressed;
    return std::nullopt;
  }
  it->second.last = now;
  return std::exchange(it->second.suppressed, 0);
}

void Throttle::make_room() {
  constexpr std::size_t kKeysMax = 512;
  if (seen_.size() < kKeysMax) {
    return;
  }
  std::vector<TimePoint> times;
  times.reserve(seen_.size());
  for (const auto& [key, seen] : seen_) {
    times.push_back(seen.last);
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  std::erase_if(seen_, [limit = *middle](const auto& entry) { return entry.second.last <= limit; });
}

Log::Log(std::shared_ptr<Sink> sink, std::string component) : sink_(std::move(sink)), component_(std::move(component)) {}

Log Log::named(std::string component) const { return Log(sink_, std::move(component)); }

bool Log::enabled(LogLevel level) const { return sink_ && sink_->enabled(level); }

void Log::write(LogLevel level, std::string_view message, Fields fields) const {
  if (enabled(level)) {
    sink_->write(Line{std::chrono::system_clock::now(), level, component_, message, fields}, 0);
  }
}

void Log::throttled(LogLevel level, std::string_view key, std::string_view message, Fields fields) const {
  if (!enabled(level)) {
    return;
  }
  std::string full_key = component_;
  full_key += '/';
  full_key += key;
  if (const auto suppressed = sink_->throttle().pass(full_key, std::chrono::steady_clock::now())) {
    sink_->write(Line{std::chrono::system_clock::now(), level, component_, message, fields}, *suppressed);
  }
}

}  // namespace sensus::telemetry
