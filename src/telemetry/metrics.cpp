#include "sensus/telemetry/metrics.hpp"

#include "escape_internal.hpp"

#include "sensus/core/assert.hpp"

#include <map>
#include <mutex>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <variant>

namespace sensus::telemetry {
namespace {

/// A label value from outside (a route, a metric name) must not grow the page without end.
constexpr std::size_t kChildrenMax = 1000;

/// The text format needs it, and prometheus-cpp does not do it.
std::string escape_help(std::string_view help) {
  std::string out;
  for (const char c : make_utf8(help)) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

/// One invalid byte in a label value makes Prometheus refuse the whole page.
prometheus::Labels to_labels(MetricLabels labels) {
  prometheus::Labels out;
  for (const auto& [name, value] : labels) {
    out.emplace(std::string(name), make_utf8(value));
  }
  return out;
}

}  // namespace

void Counter::inc(double by) const {
  if (impl_ != nullptr && by > 0) {
    impl_->Increment(by);
  }
}

double Counter::value() const { return impl_ != nullptr ? impl_->Value() : 0; }

void Gauge::set(double value) const {
  if (impl_ != nullptr) {
    impl_->Set(value);
  }
}

void Gauge::add(double by) const {
  if (impl_ != nullptr) {
    impl_->Increment(by);
  }
}

double Gauge::value() const { return impl_ != nullptr ? impl_->Value() : 0; }

void Histogram::observe(double value) const {
  if (impl_ != nullptr) {
    impl_->Observe(value);
  }
}

struct Metrics::Impl {
  using AnyFamily = std::variant<prometheus::Family<prometheus::Counter>*, prometheus::Family<prometheus::Gauge>*,
                                 prometheus::Family<prometheus::Histogram>*>;
  struct Entry {
    AnyFamily family;
    std::string type;
    std::string help;
    std::size_t children = 0;
  };

  /// A name belongs to one type; using it with two is a bug.
  template <class T, class Build>
  Entry& entry(std::string_view name, std::string_view type, std::string_view help, Build build) {
    const auto it = entries.find(name);
    if (it != entries.end()) {
      SENSUS_ASSERT(std::holds_alternative<prometheus::Family<T>*>(it->second.family));
      return it->second;
    }
    prometheus::Family<T>& family = build().Name(std::string(name)).Help(escape_help(help)).Register(registry);
    return entries.emplace(std::string(name), Entry{&family, std::string(type), std::string(help)}).first->second;
  }

  template <class T, class... Args>
  T* child(Entry& found, MetricLabels labels, const Args&... args) {
    auto& family = *std::get<prometheus::Family<T>*>(found.family);
    prometheus::Labels wanted = to_labels(labels);
    if (!family.Has(wanted)) {
      if (found.children >= kChildrenMax) {
        for (auto& [name, value] : wanted) {
          value = "other";
        }
      } else {
        ++found.children;
      }
    }
    return &family.Add(wanted, args...);
  }

  std::mutex mutex;  // Guards entries and refreshers; families and children lock for themselves.
  prometheus::Registry registry;
  std::map<std::string, Entry, std::less<>> entries;
  std::vector<std::function<void()>> refreshers;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(std::string_view name, std::string_view help, MetricLabels labels) {
  const std::lock_guard lock(impl_->mutex);
  auto& entry = impl_->entry<prometheus::Counter>(name, "counter", help, prometheus::BuildCounter);
  return Counter(impl_->child<prometheus::Counter>(entry, labels));
}

Gauge Metrics::gauge(std::string_view name, std::string_view help, MetricLabels labels) {
  const std::lock_guard lock(impl_->mutex);
  auto& entry = impl_->entry<prometheus::Gauge>(name, "gauge", help, prometheus::BuildGauge);
  return Gauge(impl_->child<prometheus::Gauge>(entry, labels));
}

Histogram Metrics::histogram(std::string_view name, std::string_view help, const std::vector<double>& buckets,
                             MetricLabels labels) {
  const std::lock_guard lock(impl_->mutex);
  auto& entry = impl_->entry<prometheus::Histogram>(name, "histogram", help, prometheus::BuildHistogram);
  return Histogram(impl_->child<prometheus::Histogram>(entry, labels, prometheus::Histogram::BucketBoundaries(buckets)));
}

void Metrics::on_render(std::function<void()> refresh) {
  const std::lock_guard lock(impl_->mutex);
  impl_->refreshers.push_back(std::move(refresh));
}

std::string Metrics::render() const {
  std::vector<std::function<void()>> refreshers;
  {
    const std::lock_guard lock(impl_->mutex);
    refreshers = impl_->refreshers;
  }
  for (const auto& refresh : refreshers) {
    refresh();
  }
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

std::vector<Metrics::Family> Metrics::families() const {
  const std::lock_guard lock(impl_->mutex);
  std::vector<Family> out;
  out.reserve(impl_->entries.size());
  for (const auto& [name, entry] : impl_->entries) {
    out.push_back(Family{name, entry.type, entry.help});
  }
  return out;
}

const std::vector<double>& latency_buckets() {
  static const std::vector<double> buckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
  return buckets;
}

}  // namespace sensus::telemetry
