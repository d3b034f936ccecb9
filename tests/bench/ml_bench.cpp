// What learning and scoring cost: figures for docs/performance.md.
#include "sensus/ml/detector.hpp"
#include "sensus/ml/isolation_forest.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>
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

ml::Profile profile_of(const benchmark::State& state) { return static_cast<ml::Profile>(state.range(0)); }

Timestamp five_minutes(std::size_t i) { return from_unix_us(1'740'960'000'000'000) + std::chrono::minutes(5 * i); }

double daily(const std::vector<double>& noise, std::size_t i) {
  return noise[i % noise.size()] + 20 * std::sin(static_cast<double>(i) * 2 * 3.14159265 / 288);
}

/// Everything included: rebuilds as they come, verdicts with their reasons when there is an anomaly. Profiles 0 compact, 1 standard, 2 thorough.
void detector_update(benchmark::State& state) {
  const std::vector<double> values = noise(4096);
  const auto detector = ml::make_detector({.profile = profile_of(state)});
  std::size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(detector->update(five_minutes(i), daily(values, i)));
    ++i;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(i));
  state.counters["bytes"] = static_cast<double>(detector->memory_bytes());
  state.counters["serialized_bytes"] = static_cast<double>(detector->serialize().size());
}
BENCHMARK(detector_update)->DenseRange(0, 2);

/// How long single points take, from the first one on: 100 series of 4032 points, the clock's own cost (about 20 ns) included.
void detector_percentiles(benchmark::State& state) {
  const std::vector<double> values = noise(4096);
  for (auto _ : state) {
    std::vector<double> ns;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      const auto detector = ml::make_detector({.profile = profile_of(state), .seed = seed});
      for (std::size_t i = 0; i < 4032; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        benchmark::DoNotOptimize(detector->update(five_minutes(i), daily(values, i + 17 * seed)));
        ns.push_back(std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count());
      }
    }
    std::ranges::sort(ns);
    const auto at = [&](double part) { return ns[static_cast<std::size_t>(part * static_cast<double>(ns.size() - 1))] / 1000; };
    state.counters["mean_us"] = std::accumulate(ns.begin(), ns.end(), 0.0) / static_cast<double>(ns.size()) / 1000;
    state.counters["p50_us"] = at(0.5);
    state.counters["p99_us"] = at(0.99);
    state.counters["p999_us"] = at(0.999);
    state.counters["max_us"] = at(1);
  }
}
BENCHMARK(detector_percentiles)->DenseRange(0, 2)->Iterations(1)->Unit(benchmark::kMillisecond);

/// Many series in turn, as a batch of closed steps brings them: every detector comes cold into the cache.
void detector_update_of_10000_series(benchmark::State& state) {
  const std::vector<double> values = noise(4096);
  std::vector<std::unique_ptr<ml::Detector>> detectors;
  std::size_t i = 0;
  for (std::uint64_t seed = 0; seed < 10000; ++seed) {
    detectors.push_back(ml::make_detector({.profile = profile_of(state), .seed = seed}));
    for (i = 0; i < 120; ++i) {
      detectors.back()->update(five_minutes(i), daily(values, i + seed));
    }
  }
  std::size_t series = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(detectors[series]->update(five_minutes(i), daily(values, i + series)));
    if (++series == detectors.size()) {
      series = 0;
      ++i;
    }
  }
}
BENCHMARK(detector_update_of_10000_series)->Arg(0)->Arg(1);

void detector_save(benchmark::State& state) {
  const std::vector<double> values = noise(4096);
  const auto detector = ml::make_detector({});
  for (std::size_t i = 0; i < 4032; ++i) {
    detector->update(five_minutes(i), daily(values, i));
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(detector->serialize());
  }
}
BENCHMARK(detector_save)->Unit(benchmark::kMicrosecond);

void detector_restore(benchmark::State& state) {
  const std::vector<double> values = noise(4096);
  const auto detector = ml::make_detector({});
  for (std::size_t i = 0; i < 4032; ++i) {
    detector->update(five_minutes(i), daily(values, i));
  }
  const std::string bytes = detector->serialize();
  for (auto _ : state) {
    benchmark::DoNotOptimize(ml::restore_detector({}, bytes));
  }
}
BENCHMARK(detector_restore)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
