// One side of forest_bench.py: reads a matrix from a file (rows, columns as u32, then doubles, row-major), fits 100 trees of 256 rows, scores
// all rows, then single ones, and prints "fit_ms batch_us single_us"; the scores go to a second file.
#include "sensus/ml/isolation_forest.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: forest_compare MATRIX SCORES\n");
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  in.read(reinterpret_cast<char*>(&rows), sizeof rows);
  in.read(reinterpret_cast<char*>(&columns), sizeof columns);
  sensus::ml::Matrix data(columns);
  std::vector<double> row(columns);
  for (std::uint32_t i = 0; i < rows; ++i) {
    in.read(reinterpret_cast<char*>(row.data()), static_cast<std::streamsize>(columns * sizeof(double)));
    data.append(row);
  }
  if (!in) {
    std::fprintf(stderr, "cannot read %s\n", argv[1]);
    return 1;
  }
  constexpr int kFits = 5;
  double fit = 1e9;
  auto forest = sensus::ml::IsolationForest::fit(data, {.trees = 100, .subsample = 256, .seed = 1});
  for (int i = 0; i < kFits; ++i) {
    const auto begin = Clock::now();
    forest = sensus::ml::IsolationForest::fit(data, {.trees = 100, .subsample = 256, .seed = 1});
    fit = std::min(fit, seconds_since(begin));
  }
  if (!forest) {
    std::fprintf(stderr, "%s\n", forest.error().message.c_str());
    return 1;
  }
  std::vector<double> scores(rows);
  const auto batch_begin = Clock::now();
  for (std::uint32_t i = 0; i < rows; ++i) {
    scores[i] = forest->score(data.row(i));
  }
  const double batch = seconds_since(batch_begin) / rows;
  // Far apart rows, one after another, as single requests come.
  constexpr std::uint32_t kSingles = 1000;
  double sum = 0;
  const auto single_begin = Clock::now();
  for (std::uint32_t i = 0; i < kSingles; ++i) {
    sum += forest->score(data.row(i * 7919 % rows));
  }
  const double single = seconds_since(single_begin) / kSingles;
  std::ofstream(argv[2], std::ios::binary).write(reinterpret_cast<const char*>(scores.data()), static_cast<std::streamsize>(rows * sizeof(double)));
  std::printf("%.4f %.4f %.4f %.1f\n", fit * 1e3, batch * 1e6, single * 1e6, sum);
  return 0;
}
