#pragma once

#include "sensus/core/result.hpp"
#include "sensus/core/time.hpp"
#include "sensus/ml/counter_rate.hpp"
#include "sensus/ml/detector.hpp"
#include "sensus/model/metadata.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sensus::analysis {

/// What the steps of a series are, and so what a detector sees of them.
enum class SeriesKind : std::uint8_t {
  values = 0,          ///< As they are.
  counter = 1,         ///< The last value of each step of a counter: its rate a second.
  counter_means = 2,   ///< Means of a counter whose name does not tell it: as above, but a step in which it was reset says nothing.
};
/// By what metadata says of the metric, else by its name, as ingest goes by.
[[nodiscard]] SeriesKind kind_of(std::string_view metric_name, std::optional<model::MetricType> type);

/// Scores the steps of one series: what makes them values, and the detector that judges these. Pure. **Threading**: one at a time.
class SeriesScorer {
 public:
  SeriesScorer(SeriesKind kind, std::unique_ptr<ml::Detector> detector) : kind_(kind), detector_(std::move(detector)) {}

  struct Scored {
    double value = 0;  ///< What was judged: of a counter, the rate.
    ml::Verdict verdict;
    bool is_rate = false;
  };
  /// Nothing for a step that is not later than the last, or from which no value follows: the first one of a counter.
  std::optional<Scored> update(Timestamp time, double value);
  /// Of the last step that was taken in.
  [[nodiscard]] Timestamp last_time() const;
  [[nodiscard]] SeriesKind kind() const { return kind_; }
  [[nodiscard]] ml::Detector& detector() { return *detector_; }
  [[nodiscard]] const ml::Detector& detector() const { return *detector_; }
  [[nodiscard]] std::size_t memory_bytes() const { return sizeof(*this) + detector_->memory_bytes(); }

  [[nodiscard]] std::string serialize() const;
  /// `corrupt` for bytes of another kind, or that restore_detector refuses. They may be hostile.
  [[nodiscard]] static Result<std::unique_ptr<SeriesScorer>> restore(SeriesKind kind, const ml::DetectorParams& params, std::string_view bytes);

 private:
  [[nodiscard]] std::optional<double> value_of(Timestamp time, double value);

  SeriesKind kind_;
  ml::CounterRate rate_;
  std::unique_ptr<ml::Detector> detector_;
};

}  // namespace sensus::analysis
