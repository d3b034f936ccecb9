#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace sensus::telemetry {

/// Handles are cheap to copy, valid as long as the Metrics that made them, and usable from any thread. A default-constructed
/// handle ignores everything.
class Counter {
 public:
  Counter() = default;
  explicit Counter(prometheus::Counter* impl) : impl_(impl) {}
  void inc(double by = 1) const;
  [[nodiscard]] double value() const;

 private:
  prometheus::Counter* impl_ = nullptr;
};

class Gauge {
 public:
  Gauge() = default;
  explicit Gauge(prometheus::Gauge* impl) : impl_(impl) {}
  void set(double value) const;
  void add(double by) const;
  [[nodiscard]] double value() const;

 private:
  prometheus::Gauge* impl_ = nullptr;
};

class Histogram {
 public:
  Histogram() = default;
  explicit Histogram(prometheus::Histogram* impl) : impl_(impl) {}
  void observe(double value) const;

 private:
  prometheus::Histogram* impl_ = nullptr;
};

using MetricLabels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Registry of the daemon's own metrics. Names: sensus_<module>_<noun>_<unit>[_total]. Resolve handles at construction, never per
/// event: a look-up locks and hashes. Children are created at start so that rate() sees 0. Each module has a metrics struct.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  Counter counter(std::string_view name, std::string_view help, MetricLabels labels = {});
  Gauge gauge(std::string_view name, std::string_view help, MetricLabels labels = {});
  Histogram histogram(std::string_view name, std::string_view help, const std::vector<double>& buckets,
                      MetricLabels labels = {});
  /// Called before every render, on the rendering thread: to set gauges that are cheap to read (pool sizes, rss).
  void on_render(std::function<void()> refresh);

  /// Prometheus text format 0.0.4.
  [[nodiscard]] std::string render() const;
  /// (name, type, help) of every family, sorted by name: for docs and lint.
  struct Family {
    std::string name;
    std::string type;
    std::string help;
  };
  [[nodiscard]] std::vector<Family> families() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// 1 ms .. 10 s, for request and query latencies in seconds.
[[nodiscard]] const std::vector<double>& latency_buckets();

}  // namespace sensus::telemetry
