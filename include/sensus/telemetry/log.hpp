#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace sensus::telemetry {

enum class LogLevel { debug, info, warning, error, critical };
enum class LogFormat { automatic, json, text };  ///< automatic: text on a terminal, else JSON.

/// One `key=value` of a line. Keys are snake_case literals; values are escaped by the writer. Never a secret, never a body.
struct Field {
  std::string_view key;
  std::variant<std::int64_t, double, bool, std::string_view> value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <class Int>
    requires std::is_integral_v<Int>
  Field(std::string_view k, Int v) : key(k), value(static_cast<std::int64_t>(v)) {}
};
using Fields = std::initializer_list<Field>;

/// Levels: info = lifecycle; warning = recovered without loss; error = loss or a human is needed. A line tells what to do.
/// A cheap copyable handle. **Threading**: any thread; a write never blocks (a full queue drops and counts).
/// **Lifetime**: shares the sink; a default-constructed Log is silent (for tests).
class Log {
 public:
  class Sink;
  Log() = default;
  Log(std::shared_ptr<Sink> sink, std::string component);

  /// The same sink under another component name.
  [[nodiscard]] Log named(std::string component) const;
  [[nodiscard]] bool enabled(LogLevel level) const;
  void write(LogLevel level, std::string_view message, Fields fields = {}) const;
  /// At most one line of this `key` every 30 s; the next one carries suppressed=n.
  void throttled(LogLevel level, std::string_view key, std::string_view message, Fields fields = {}) const;

  void debug(std::string_view message, Fields fields = {}) const { write(LogLevel::debug, message, fields); }
  void info(std::string_view message, Fields fields = {}) const { write(LogLevel::info, message, fields); }
  void warning(std::string_view message, Fields fields = {}) const { write(LogLevel::warning, message, fields); }
  void error(std::string_view message, Fields fields = {}) const { write(LogLevel::error, message, fields); }

 private:
  std::shared_ptr<Sink> sink_;
  std::string component_;
};

struct LogOptions {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::automatic;
};

/// Writes to stderr through a bounded queue and one writer thread. `shutdown` flushes within 1 s.
class LogSystem {
 public:
  explicit LogSystem(LogOptions options);
  /// For tests: every finished line goes to `lines` instead of stderr, synchronously.
  LogSystem(LogOptions options, std::function<void(std::string_view line)> lines);
  ~LogSystem();
  LogSystem(const LogSystem&) = delete;
  LogSystem& operator=(const LogSystem&) = delete;

  [[nodiscard]] Log log(std::string component) const;
  void set_level(LogLevel level);
  [[nodiscard]] std::uint64_t dropped_lines() const;
  void shutdown();

 private:
  std::shared_ptr<Log::Sink> sink_;
};

}  // namespace sensus::telemetry
