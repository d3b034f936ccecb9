#pragma once

#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"
#include "sensus/ml/gates.hpp"
#include "sensus/ml/verdict.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::ml {

/// What a person said of an anomaly: moves the series' thresholds.
enum class Feedback : std::uint8_t {
  useful,    ///< Lowers them a little.
  noise,     ///< Raises them.
  expected,  ///< Raises them above what was seen: the same again stays quiet.
};

/// One step of a forecast; `low` and `high` hold nine of ten values when the series goes on as it
/// was.
struct ForecastPoint {
  Timestamp time;
  double expected = 0;
  double low = 0;
  double high = 0;
};

/// Scores the points of one series in time order. Pure: no clock, no I/O, seeded. **Threading**:
/// one at a time. Narrow on purpose: another algorithm can take its place.
class Detector {
 public:
  virtual ~Detector() = default;
  /// Feeds one point and scores it against what came before; no look-ahead. Points not later than
  /// the last are ignored (no anomaly).
  virtual Verdict update(Timestamp time, double value) = 0;
  /// Relearns from its own recent history, as the schedule asks.
  virtual void retrain() = 0;
  [[nodiscard]] virtual Timestamp last_time() const = 0;
  [[nodiscard]] virtual std::string serialize() const = 0;

  /// Nothing came until `now`: a `gap` verdict when the learned step says that something should
  /// have; once for each silence and tier.
  virtual Verdict check_silence(Timestamp /*now*/) { return {}; }
  /// What was told of the present silence was not so, or did not arrive: it is told again.
  virtual void forget_silence() {}
  /// `evidence` is that of the verdict that was judged.
  virtual void learn_feedback(Feedback /*feedback*/, double /*evidence*/) {}
  /// Not part of the state: set again after a restore. Holds from the next point on.
  virtual void set_gates(const Gates& /*gates*/) {}
  /// The next `steps` steps of the learned length (or of `step`); empty before anything is known.
  [[nodiscard]] virtual std::vector<ForecastPoint> forecast(
      std::size_t /*steps*/, std::optional<std::chrono::seconds> /*step*/ = {}) const {
    return {};
  }
  /// Everything that this detector holds on to, itself included.
  [[nodiscard]] virtual std::size_t memory_bytes() const { return 0; }
  /// The usual distance of two points; zero before it is known.
  [[nodiscard]] virtual std::chrono::microseconds learned_step() const { return {}; }
};

/// When the forecast first reaches `limit` from below (`above`, `both`) or from above (`below`); nothing within its horizon.
[[nodiscard]] std::optional<Timestamp> time_of_limit(const std::vector<ForecastPoint>& forecast, double limit,
                                                     Direction direction = Direction::above);

/// How much a series may cost; docs/detection.md has what each finds.
enum class Profile : std::uint8_t { compact, standard, thorough };
[[nodiscard]] std::string_view name_of(Profile profile);
[[nodiscard]] std::optional<Profile> parse_profile(std::string_view name);

/// What a detector of this profile takes when it is full-grown, at most (docs/detection.md): to reckon with before it is.
[[nodiscard]] std::size_t memory_of(Profile profile);

/// Parameters out of bounds are moved to the nearest bound. State learned under another profile or
/// seed is refused by restore_detector.
struct DetectorParams {
  Profile profile = Profile::standard;
  std::uint64_t seed = 1;
  /// Points before the first verdict; 20 to 10000.
  std::size_t warmup = 60;
  /// The rate of false alerts that the alerting tier aims at, by each series' own past; not part of
  /// the state.
  double false_alerts_per_week = 0.14;
};

/// Five small Isolation Forests over causal features of the series' own past (docs/detection.md).
/// Values that are not finite are ignored like late ones.
[[nodiscard]] std::unique_ptr<Detector> make_detector(const DetectorParams& params);
/// `corrupt` when the bytes do not hold or were made with another profile, seed or version. The
/// bytes may be hostile.
[[nodiscard]] Result<std::unique_ptr<Detector>> restore_detector(const DetectorParams& params,
                                                                 std::string_view bytes);

}  // namespace sensus::ml
