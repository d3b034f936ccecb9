#pragma once

#include "sensus/telemetry/log.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sensus::telemetry {

/// Decides which lines of a repeated kind are written: one each `window` a key. Pure but for its lock. At most 512 keys are remembered;
/// beyond that the oldest half makes room, which can only let a line through too early.
class Throttle {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  explicit Throttle(std::chrono::steady_clock::duration window) : window_(window) {}
  /// The number of lines suppressed since the last one that passed; nullopt = suppress this one.
  [[nodiscard]] std::optional<std::uint64_t> pass(const std::string& key, TimePoint now);

 private:
  struct Seen {
    TimePoint last;
    std::uint64_t suppressed = 0;
  };
  void make_room();
  std::chrono::steady_clock::duration window_;
  std::mutex mutex_;
  std::unordered_map<std::string, Seen> seen_;
};

struct Line {
  std::chrono::system_clock::time_point time;
  LogLevel level = LogLevel::info;
  std::string_view component;
  std::string_view message;
  Fields fields;
};

[[nodiscard]] std::string render_json(const Line& line, std::uint64_t suppressed);
[[nodiscard]] std::string render_text(const Line& line, std::uint64_t suppressed);

/// Where lines go. `emit` takes a finished line without its newline and never blocks.
class Log::Sink {
 public:
  Sink(LogLevel level, bool json) : level_(level), json_(json) {}
  virtual ~Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  [[nodiscard]] bool enabled(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  void set_level(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  void write(const Line& line, std::uint64_t suppressed) { emit(json_ ? render_json(line, suppressed) : render_text(line, suppressed)); }
  [[nodiscard]] Throttle& throttle() { return throttle_; }

  virtual void emit(std::string line) = 0;
  [[nodiscard]] virtual std::uint64_t dropped() const { return 0; }
  virtual void shutdown() {}

 private:
  std::atomic<LogLevel> level_;
  bool json_;
  Throttle throttle_{std::chrono::seconds{30}};
};

}  // namespace sensus::telemetry
