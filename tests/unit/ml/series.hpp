#pragma once

#include "sensus/ml/detector.hpp"

#include "random_internal.hpp"

#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

namespace sensus::ml::test {

/// Standard normal draws by Box and Muller.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : random_(seed) {}
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - random_.uniform()));
    return radius * std::cos(2 * std::numbers::pi * random_.uniform());
  }
  double exponential() { return -std::log(1 - random_.uniform()); }
  double uniform() { return random_.uniform(); }

 private:
  Random random_;
};

inline Timestamp minute(std::size_t i) { return from_unix_us(1'700'000'000'000'000) + std::chrono::minutes(i); }

/// Verdicts of a fresh detector over values a minute apart.
inline std::vector<Verdict> run(Detector& detector, const std::vector<double>& values) {
  std::vector<Verdict> verdicts;
  for (std::size_t i = 0; i < values.size(); ++i) {
    verdicts.push_back(detector.update(minute(i), values[i]));
  }
  return verdicts;
}

inline std::size_t count_anomalies(const std::vector<Verdict>& verdicts, std::size_t begin, std::size_t end) {
  std::size_t count = 0;
  for (std::size_t i = begin; i < end; ++i) {
    count += verdicts[i].is_anomaly ? 1 : 0;
  }
  return count;
}

inline std::vector<double> make_series(std::size_t size, const std::function<double(std::size_t)>& value) {
  std::vector<double> values;
  for (std::size_t i = 0; i < size; ++i) {
    values.push_back(value(i));
  }
  return values;
}

}  // namespace sensus::ml::test
