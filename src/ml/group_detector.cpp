#include "sensus/ml/group_detector.hpp"

#include "random_internal.hpp"
#include "sensus/core/assert.hpp"
#include "sensus/ml/isolation_forest.hpp"
#include "tail_histogram_internal.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace sensus::ml {
namespace {

constexpr std::size_t kColumnsMax = 64;
constexpr std::size_t kRows = 512;
constexpr std::size_t kTrees = 50;
constexpr std::size_t kSubsample = 128;
constexpr double kLevelRate = 0.005;   // Of each column's level and spread.
constexpr double kLearnRate = 0.01;    // Of the common movement.
constexpr double kRecency = 0.05;
constexpr double kClamp = 20;          // Spreads; one wild value must not stretch the trees.
constexpr double kMagnitudeMax = 1e30;
constexpr std::size_t kRebuildEvery = 240;
constexpr double kNotable = 4.2;       // Decades: see evidence_of.
constexpr double kAlerting = 5.5;
constexpr double kSlope = 0.5;
constexpr double kRecordForget = 0.99;

}  // namespace

struct GroupDetector::State {
  std::vector<std::string> columns;
  GroupParams params;
  Random random{1};
  Timestamp last_time = Timestamp::min();
  std::uint64_t rows_seen = 0;
  std::vector<double> level;
  std::vector<double> spread;  ///< Mean absolute deviation.
  std::vector<double> common;  ///< Weights of the first principal component, of length 1.
  std::vector<std::vector<double>> reservoir;
  std::vector<SeenRange> ranges;
  std::optional<IsolationForest> forest;
  std::uint64_t next_fit = 0;
  std::uint64_t fits = 0;
  TailHistogram histogram;
  double scored = 0;
  double record = 0;  ///< Highest evidence lately.

  [[nodiscard]] std::vector<double> normalize(std::span<const double> row);
  [[nodiscard]] std::vector<double> decompose(const std::vector<double>& z);
  [[nodiscard]] double evidence_of(const std::vector<double>& features, double& score);
  void keep(const std::vector<double>& features);
  void fit();
  void explain(std::span<const double> row, const std::vector<double>& features, Verdict& verdict) const;
};

/// In spreads from the level, both of which then learn.
std::vector<double> GroupDetector::State::normalize(std::span<const double> row) {
  std::vector<double> z(columns.size(), 0);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i >= row.size() || !std::isfinite(row[i])) {
      continue;
    }
    const double value = std::clamp(row[i], -kMagnitudeMax, kMagnitudeMax);
    if (rows_seen == 0) {
      level[i] = value;
    }
    const double rate = std::max(kLevelRate, 1 / static_cast<double>(rows_seen + 1));
    const double deviation = value - level[i];
    z[i] = spread[i] > 0 ? std::clamp(deviation / spread[i], -kClamp, kClamp) : 0;
    level[i] += rate * deviation;
    const double bounded = spread[i] > 0 && rows_seen > params.warmup / 2 ? std::min(std::abs(deviation), 6 * spread[i]) : std::abs(deviation);
    spread[i] += rate * (bounded - spread[i]);
  }
  return z;
}

/// The common movement, then what it leaves of each column. The weights follow Oja's rule (E. Oja, 1982).
std::vector<double> GroupDetector::State::decompose(const std::vector<double>& z) {
  double movement = 0;
  for (std::size_t i = 0; i < z.size(); ++i) {
    movement += common[i] * z[i];
  }
  std::vector<double> features{movement};
  double norm = 0;
  const double rate = kLearnRate / static_cast<double>(z.size());
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double left = z[i] - common[i] * movement;
    features.push_back(left);
    common[i] += rate * std::clamp(movement, -3.0, 3.0) * std::clamp(left, -3.0, 3.0);
    norm += common[i] * common[i];
  }
  for (double& weight : common) {
    weight /= std::sqrt(std::max(norm, 1e-12));
  }
  return features;
}

/// Decades of improbability of the forest's score among past ones, and up to two more for what lies outside everything seen.
double GroupDetector::State::evidence_of(const std::vector<double>& features, double& score) {
  score = forest->score(features);
  double beyond = 0;
  for (std::size_t i = 0; i < features.size(); ++i) {
    beyond = std::max(beyond, ranges[i].beyond(features[i]));
  }
  score += (1 - score) * beyond / (beyond + 0.3);
  const double above = histogram.above(score);
  histogram.add(score);
  scored += 1;
  return std::log10(scored) - std::log10(above + 0.5) + 2 * std::min(1.0, beyond / 0.3);
}

void GroupDetector::State::keep(const std::vector<double>& features) {
  for (std::size_t i = 0; i < features.size(); ++i) {
    ranges[i].learn(features[i]);
  }
  if (reservoir.size() < kRows) {
    reservoir.push_back(features);
  } else if (random.uniform() < std::max(static_cast<double>(kRows) / static_cast<double>(rows_seen + 1), kRecency)) {
    reservoir[random.below(kRows)] = features;
  }
}

void GroupDetector::State::fit() {
  Matrix matrix(columns.size() + 1);
  matrix.reserve(reservoir.size());
  for (const std::vector<double>& row : reservoir) {
    matrix.append(row);
  }
  Result<IsolationForest> fitted = IsolationForest::fit(
      matrix, {.trees = kTrees, .subsample = std::min(kSubsample, reservoir.size()), .seed = params.seed + 0x9E3779B97F4A7C15ULL * ++fits});
  SENSUS_ASSERT(fitted);  // Rows are finite and more than two.
  forest = std::move(*fitted);
  next_fit = rows_seen + std::min<std::uint64_t>(std::max<std::uint64_t>(rows_seen, 60), kRebuildEvery);
}

void GroupDetector::State::explain(std::span<const double> row, const std::vector<double>& features, Verdict& verdict) const {
  double sum = 0;
  for (std::size_t i = 1; i < features.size(); ++i) {
    sum += std::abs(features[i]);
  }
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    order.push_back(i);
  }
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::size_t i) { return std::abs(features[i + 1]); });
  for (const std::size_t i : order) {
    const double value = i < row.size() && std::isfinite(row[i]) ? row[i] : level[i];
    verdict.features.emplace_back(columns[i], value);
    verdict.contributions.push_back({"group", columns[i], features[i + 1], sum > 0 ? verdict.evidence * std::abs(features[i + 1]) / sum : 0});
  }
  const std::size_t worst = order.front();
  const double unexplained = features[worst + 1] * spread[worst];
  verdict.expected = verdict.features.front().second - unexplained;
  verdict.band_low = verdict.expected - 4 * spread[worst];
  verdict.band_high = verdict.expected + 4 * spread[worst];
}

GroupDetector::GroupDetector(std::vector<std::string> columns, const GroupParams& params) : state_(std::make_unique<State>()) {
  columns.resize(std::clamp<std::size_t>(columns.size(), 2, kColumnsMax));
  State& s = *state_;
  s.columns = std::move(columns);
  s.params = params;
  s.params.warmup = std::max<std::size_t>(params.warmup, 60);
  s.random = Random(params.seed);
  s.level.resize(s.columns.size(), 0);
  s.spread.resize(s.columns.size(), 0);
  s.common.resize(s.columns.size(), 1 / std::sqrt(static_cast<double>(s.columns.size())));
  s.ranges.resize(s.columns.size() + 1);
  s.next_fit = s.params.warmup / 2;
}

GroupDetector::~GroupDetector() = default;
GroupDetector::GroupDetector(GroupDetector&&) noexcept = default;
GroupDetector& GroupDetector::operator=(GroupDetector&&) noexcept = default;

Verdict GroupDetector::update(Timestamp time, std::span<const double> row) {
  State& s = *state_;
  Verdict verdict;
  verdict.notable_evidence = kNotable;
  verdict.alerting_evidence = kAlerting;
  if (time <= s.last_time) {
    return verdict;
  }
  s.last_time = time;
  const std::vector<double> features = s.decompose(s.normalize(row));
  if (s.forest) {
    double score = 0;
    verdict.evidence = s.evidence_of(features, score);
    const bool is_record = verdict.evidence > s.record + 0.3;
    s.record = std::max(s.record * kRecordForget, verdict.evidence);
    if (s.rows_seen >= s.params.warmup && is_record) {
      verdict.score = 1 / (1 + std::exp(-(verdict.evidence - kNotable) / kSlope));
      verdict.is_anomaly = verdict.score >= verdict.threshold;
    }
  }
  if (verdict.is_anomaly) {
    verdict.kind = AnomalyKind::point;
    verdict.tier = verdict.evidence >= kAlerting ? Tier::alerting : Tier::notable;
    verdict.since = time;
    s.explain(row, features, verdict);
  }
  if (s.rows_seen >= 20) {  // Levels and spreads are known by then.
    s.keep(features);
  }
  ++s.rows_seen;
  if (s.rows_seen >= s.next_fit && s.reservoir.size() >= 32) {
    s.fit();
  }
  return verdict;
}

std::size_t GroupDetector::memory_bytes() const {
  const State& s = *state_;
  const std::size_t row = (s.columns.size() + 1) * sizeof(double) + sizeof(std::vector<double>);
  return sizeof(State) + s.reservoir.size() * row + (s.forest ? s.forest->memory_bytes() : 0) + s.columns.size() * 128;
}

void AnomalousShare::note(std::uint64_t series, Timestamp time) {
  Timestamp& last = last_.try_emplace(series, time).first->second;
  last = std::max(last, time);
}

double AnomalousShare::share(Timestamp now, std::size_t series_count) {
  std::erase_if(last_, [&](const auto& entry) { return entry.second + window_ < now; });
  const auto odd = static_cast<double>(std::ranges::count_if(last_, [&](const auto& entry) { return entry.second <= now; }));
  return series_count == 0 ? 0 : std::min(1.0, odd / static_cast<double>(series_count));
}

}  // namespace sensus::ml
