// What learning and scoring cost: figures for docs/performance.md.
#include "sensus/ml/detector.hpp"
#include "sensus/ml/isolation_forest.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace {

using namespace sensus;

ml::Matrix gaussian(std::size_t rows, std::size_t columns) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  ml::Matrix data(columns);
  std::vector<double> row(columns);
  for (std::size_t i = 0; i < rows; ++i) {
    std::generate(row.begin(), row.end(), [&] { return normal(random); });
    data.append(row);
  }
  return data;
}

void forest_fit(benchmark::State& state) {
  const ml::Matrix data = gaussian(1024, 5);
  const auto trees = static_cast<std::size_t>(state.range(0));
  const auto subsample = static_cast<std::size_t>(state.range(1));
  for (auto _ : state) {
    benchmark::DoNotOptimize(ml::IsolationForest::fit(data, {.trees = trees, .subsample = subsample, .seed = 1}));
  }
}
BENCHMARK(forest_fit)->Args({50, 64})->Args({100, 256})->Unit(benchmark::kMicrosecond);

void forest_score(benchmark::State& state) {
  const ml::Matrix data = gaussian(1024, 5);
  const auto trees = static_cast<std::size_t>(state.range(0));
  const auto subsample = static_cast<std::size_t>(state.range(1));
  const ml::IsolationForest forest = ml::IsolationForest::fit(data, {.trees = trees, .subsample = subsample, .seed = 1}).value();
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(forest.score(data.row(i++ % data.rows())));
  }
  state.counters["bytes"] = static_cast<double>(forest.memory_bytes());
}
BENCHMARK(forest_score)->Args({50, 64})->Args({100, 256});

std::vector<double> noise(std::size_t size) {
  std::mt19937_64 random(2);
  std::normal_distribution<double> normal(100, 5);
  std::vector<double> values(size);
  std::generate(values.begin(), values.end(), [&] { return normal(random); });
  return values;
}

/// Retrainings included, as they come.
void detector_update(benchmark::State& state) {
  const std::vector<double> values = noise(4096);
  const auto detector = ml::make_forest_detector({.seed = 1});
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(detector->update(from_unix_us(0) + std::chrono::minutes(i), values[i % values.size()]));
    ++i;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(i));
  state.counters["serialized_bytes"] = static_cast<double>(detector->serialize().size());
}
BENCHMARK(detector_update);

/// Many series in turn, as a batch of closed steps brings them: every detector comes cold into the cache.
void detector_update_of_1000_series(benchmark::State& state) {
  const std::vector<double> values = noise(4096);
  std::vector<std::unique_ptr<ml::Detector>> detectors;
  std::size_t i = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    detectors.push_back(ml::make_forest_detector({.seed = seed}));
    for (i = 0; i < 100; ++i) {
      detectors.back()->update(from_unix_us(0) + std::chrono::minutes(i), values[(i + seed) % values.size()]);
    }
  }
  std::size_t series = 0;
  for (auto _ : state) {
    const double value = values[(i + series) % values.size()];
    benchmark::DoNotOptimize(detectors[series]->update(from_unix_us(0) + std::chrono::minutes(i), value));
    if (++series == detectors.size()) {
      series = 0;
      ++i;
    }
  }
}
BENCHMARK(detector_update_of_1000_series);

void detector_retrain(benchmark::State& state) {
  const auto detector = ml::make_forest_detector({.seed = 1});
  std::size_t i = 0;
  for (const double value : noise(1024)) {
    detector->update(from_unix_us(0) + std::chrono::minutes(i++), value);
  }
  for (auto _ : state) {
    detector->retrain();
  }
}
BENCHMARK(detector_retrain)->Unit(benchmark::kMicrosecond);

void detector_warm_from_a_day(benchmark::State& state) {
  const std::vector<double> values = noise(1024);
  for (auto _ : state) {
    const auto detector = ml::make_forest_detector({.seed = 1});
    for (std::size_t i = 0; i < values.size(); ++i) {
      benchmark::DoNotOptimize(detector->update(from_unix_us(0) + std::chrono::minutes(i), values[i]));
    }
  }
}
BENCHMARK(detector_warm_from_a_day)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
