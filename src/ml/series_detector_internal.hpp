#pragma once

#include "sensus/ml/detector.hpp"

#include "expectation_internal.hpp"
#include "random_internal.hpp"
#include "series_features_internal.hpp"
#include "step_clock_internal.hpp"
#include "tail_histogram_internal.hpp"
#include "tuning_internal.hpp"
#include "view_forest_internal.hpp"

#include <array>
#include <vector>

namespace sensus::ml {

/// docs/detection.md has the equations.
class SeriesDetector final : public Detector {
 public:
  SeriesDetector(const DetectorParams& params, const Tuning& tuning);

  Verdict update(Timestamp time, double value) override;
  void retrain() override;
  [[nodiscard]] Timestamp last_time() const override { return last_time_; }
  [[nodiscard]] std::string serialize() const override;
  [[nodiscard]] static Result<std::unique_ptr<Detector>> restore(const DetectorParams& params,
                                                                 std::string_view bytes);
  void set_gates(const Gates& gates) override { gates_ = gates; }
  [[nodiscard]] std::size_t memory_bytes() const override;
  [[nodiscard]] std::chrono::microseconds learned_step() const override;

 private:
  /// One point on its way through.
  struct Moment {
    Timestamp time;
    double seconds = 0;
    double value = 0;
    double x = 0;     ///< Relative to the first value.
    double unit = 1;  ///< Weight: see StepClock.
    bool is_new_cell = true;
    Expectation::Predictions predictions{};
    double expected = 0;  ///< Relative like x.
    double half_band = 0;
    FeatureValues features{};
    std::array<double, kFeatures> beyond{};  ///< Outside the range seen, in widths of it.
    double value_beyond = 0;
    CodeRow row{};
    bool is_scored = false;
    std::array<double, kViews> scores{};
    std::array<double, kViews> above{};  ///< Past scores above.
    double base = 0;                     ///< A: evidence of this point alone.
    double evidence = 0;                 ///< F: with what led up to it.
  };
  void compute_features(Moment& moment);
  void score_views(Moment& moment) const;
  void combine(Moment& moment) const;
  void expect(Moment& moment, std::size_t day_bin, std::size_t week_bin);
  void track_onset(const Moment& moment);
  [[nodiscard]] Verdict judge(const Moment& moment) const;
  void explain(const Moment& moment, Verdict& verdict) const;
  [[nodiscard]] std::size_t oddest_feature(const View& view, const Moment& moment) const;
  void learn(const Moment& moment);
  void rebuild_trees();
  [[nodiscard]] CodeRow encode(const FeatureValues& features);
  [[nodiscard]] double highest_recent() const;
  [[nodiscard]] bool read(ByteReader& in);

  DetectorParams params_;
  Tuning tuning_;
  Gates gates_;
  Random random_;
  StepClock clock_;
  Timestamp last_time_ = Timestamp::min();
  double first_value_ = 0;
  double last_value_ = 0;
  double cell_opened_ = 0;  ///< Seconds since the epoch.
  std::uint64_t points_ = 0;
  double age_ = 0;  ///< Points by weight.
  CellWindow window_;
  SeasonProfile day_{kDayBins};
  SeasonProfile week_{kWeekBins};
  Expectation expectation_;
  double level_ = 0;  ///< Mean of the last stretch.
  double drift_ = 0;
  std::uint64_t repeats_ = 0;
  SeenRange value_range_;
  std::array<SeenRange, kFeatures> ranges_;
  int exponent_ = 0;  ///< Features are scaled by 2^exponent_ before they become codes.
  Reservoir reservoir_;
  std::array<ViewForest, kViews> forests_;
  std::array<TailHistogram, kViews> histograms_;
  std::uint64_t scored_ = 0;
  std::uint32_t pending_trees_ = 0;  ///< Of each view, after a schedule point.
  double next_rebuild_ = 0;
  std::uint32_t next_view_ = 0;
  double sustained_ = 0;
  Timestamp odd_since_{};      ///< Begin of the present run of odd points.
  double odd_seconds_ = 0;     ///< When the last odd point was.
  std::vector<float> recent_;  ///< Highest evidence of each of the last cells, a ring.
  std::uint64_t recent_cells_ = 0;
};

}  // namespace sensus::ml
