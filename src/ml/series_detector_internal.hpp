#pragma once

#include "sensus/ml/detector.hpp"

#include "block_maxima_internal.hpp"
#include "expectation_internal.hpp"
#include "extremes_internal.hpp"
#include "random_internal.hpp"
#include "season_lag_internal.hpp"
#include "series_features_internal.hpp"
#include "silence_internal.hpp"
#include "step_clock_internal.hpp"
#include "tail_histogram_internal.hpp"
#include "trend_internal.hpp"
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
  Verdict check_silence(Timestamp now) override;
  void forget_silence() override { gap_told_ = Tier::none; }
  void learn_feedback(Feedback feedback, double evidence) override;
  void set_gates(const Gates& gates) override { gates_ = gates; }
  [[nodiscard]] std::vector<ForecastPoint> forecast(
      std::size_t steps, std::optional<std::chrono::seconds> step) const override;
  [[nodiscard]] std::size_t memory_bytes() const override;
  [[nodiscard]] std::chrono::microseconds learned_step() const override;

 private:
  /// One point on its way through.
  struct Moment {
    Timestamp time;
    Timestamp previous_time;
    double seconds = 0;
    double value = 0;
    double x = 0;          ///< Relative to the first value.
    double distance = 0;   ///< Seconds from the point before.
    double gap_steps = 1;  ///< Distance from the point before.
    double unit = 1;       ///< Weight: see StepClock.
    bool is_new_cell = true;
    Expectation::Predictions predictions{};
    double expected = 0;  ///< Relative like x.
    double half_band = 0;
    FeatureValues features{};
    std::array<double, kFeatures> beyond{};  ///< Outside the range seen, in widths of it.
    double value_beyond = 0;
    double range = 0;  ///< 0..1: how much of the range term the value earns.
    CodeRow row{};
    bool is_unseen_season = false;  ///< The first weekend: nothing like it was seen.
    bool is_scored = false;
    std::array<double, kViews> scores{};
    std::array<double, kViews> above{};  ///< Past scores above.
    double base = 0;                     ///< A: evidence of this point alone.
    double evidence = 0;                 ///< F: with what led up to it.
    double flat = 0;                     ///< Evidence of a flat line ...
    double gap = 0;                      ///< ... and of a gap before this point, on the same scale.
  };
  void compute_features(Moment& moment);
  void score_views(Moment& moment) const;
  void combine(Moment& moment) const;
  /// Where in the day and in the week a moment lies.
  struct Place {
    static constexpr std::size_t kSunday =
        3;  ///< Days of the week count from 1970-01-01, a Thursday.
    std::size_t day = 0;
    std::size_t day_bin = 0;
    std::size_t hour = 0;  ///< Bin within the day of the weekly profile.
    [[nodiscard]] static bool is_weekend(std::size_t day) {
      return day == kSunday || day == kSunday - 1;
    }
    [[nodiscard]] bool is_weekend() const { return is_weekend(day); }
  };
  [[nodiscard]] Place place_of(double seconds) const;
  [[nodiscard]] std::optional<double> weekly_mean(const Place& place) const;
  /// `slope` a day: what it adds to the profile is no season. `now` in seconds.
  [[nodiscard]] double season_at(double seconds, double now, double slope) const;
  void learn_day(std::size_t bin, double x, double rate);
  void expect(Moment& moment, const Place& place);
  void track_onset(const Moment& moment);
  [[nodiscard]] Verdict judge(const Moment& moment) const;
  void refresh_thresholds();
  [[nodiscard]] Verdict judge_stillness(const Moment& moment, Verdict verdict);
  [[nodiscard]] double gap_evidence(double distance) const;
  [[nodiscard]] double flat_evidence(double unit) const;
  void explain(const Moment& moment, Verdict& verdict) const;
  [[nodiscard]] std::size_t oddest_feature(const View& view, const Moment& moment) const;
  void learn(const Moment& moment);
  void rebuild_trees();
  void rebuild_tree(std::size_t view);
  [[nodiscard]] bool has_forests() const {
    return shape_.trees() == tuning_.trees && residuals_.back().trees() == tuning_.trees;
  }
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
  SeasonProfile day_;
  SeasonProfile week_;
  Expectation expectation_;
  double level_ = 0;        ///< Mean of the last stretch.
  Trend trend_;             ///< Of values without their season.
  SeasonLag season_lag_;
  double profile_sum_ = 0;  ///< Over the bins of the day profile that were seen.
  std::uint32_t profile_bins_ = 0;
  double drift_ = 0;
  std::uint64_t repeats_ = 0;
  SeenRange value_range_;
  Extremes highest_values_;
  Extremes lowest_values_;  ///< Of negated values.
  std::array<SeenRange, kFeatures> ranges_;
  int exponent_ = 0;  ///< Features are scaled by 2^exponent_ before they become codes.
  Reservoir reservoir_;
  ViewForest shape_;                              ///< The first view ...
  std::array<StepForest, kViews - 1> residuals_;  ///< ... and the others, of one column each.
  std::array<TailHistogram, kViews> histograms_;
  std::uint64_t scored_ = 0;
  std::uint32_t pending_trees_ = 0;  ///< Of each view, after a schedule point.
  double next_rebuild_ = 0;
  std::uint32_t next_view_ = 0;
  double sustained_ = 0;
  BlockMaxima maxima_;
  FlatLine flat_;
  Gaps gaps_;
  Tier flat_told_ = Tier::none;  ///< Of the present run of repeats.
  Tier gap_told_ = Tier::none;   ///< Of the present silence.
  double feedback_ = 0;          ///< Added to both thresholds.
  double block_step_ = 0;        ///< The learned step when the last block ended.
  double notable_evidence_ = 0;  ///< From the three above; not part of the state.
  double alerting_evidence_ = 0;
  Timestamp odd_since_{};   ///< Begin of the present run of odd points.
  double odd_seconds_ = 0;  ///< When the last odd point was.
  std::vector<std::uint16_t>
      recent_;  ///< In thousandths: Highest evidence of each of the last cells, a ring.
  std::uint64_t recent_cells_ = 0;
};

}  // namespace sensus::ml
