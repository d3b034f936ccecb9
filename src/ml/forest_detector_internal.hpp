#pragma once

#include "sensus/ml/detector.hpp"
#include "sensus/ml/isolation_forest.hpp"

#include "features_internal.hpp"

#include <optional>

namespace sensus::ml {

class ForestDetector final : public Detector {
 public:
  explicit ForestDetector(const ForestDetectorParams& params);

  Verdict update(Timestamp time, double value) override;
  void retrain() override;
  [[nodiscard]] Timestamp last_time() const override { return last_time_; }
  [[nodiscard]] std::string serialize() const override;
  [[nodiscard]] static Result<std::unique_ptr<Detector>> restore(const ForestDetectorParams& params, std::string_view bytes);

 private:
  /// The range and the scales of the history: cheap, but not for every point.
  struct Summary {
    RobustScale history;
    double low = 0;          ///< The least value seen, but for one percent (at least one value).
    double high = 0;
    double noise = 0;        ///< Spread of values around their local medians: the floor of the local spread.
  };

  [[nodiscard]] RobustScale local_scale() const;
  [[nodiscard]] bool stands_out(double value, const RobustScale& local) const;
  void score(double value, Verdict& verdict) const;
  void accept(double value);
  void quarantine(double value);
  void release_quarantine();
  void summarize();
  [[nodiscard]] Matrix training_rows(std::uint64_t seed);

  ForestDetectorParams params_;
  Timestamp last_time_ = Timestamp::min();
  Ring values_;
  double previous_ = 0;
  double before_previous_ = 0;
  double pressure_ = 0;               ///< How lasting anomalies are; see kPressureMax.
  std::vector<double> quarantine_;    ///< The first anomalous values since it was last empty.
  std::uint64_t quarantined_ = 0;     ///< How many there were.
  std::uint64_t quiet_ = 0;           ///< Points since the last of them.
  std::uint64_t accepted_ = 0;
  std::uint64_t next_training_ = 0;
  std::uint64_t trainings_ = 0;
  Summary summary_;
  std::optional<IsolationForest> forest_;
};

}  // namespace sensus::ml
