#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/core/time.hpp"
#include "sensus/model/labels.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::model {

/// One anomalous step of one series, as the detector said it.
struct Anomaly {
  AnalysisId id = 0;
  SeriesId series_id = 0;
  std::string metric_name;  ///< Filled when read back.
  Labels labels;            ///< Filled when read back.
  Timestamp time;           ///< Start of the step.
  double value = 0;         ///< NaN of a gap.
  double expected = 0;      ///< What this moment should have brought.
  double score = 0;         ///< 0 normal to 1 certain.
  double threshold = 0;
  std::string model_version;
  std::string features_json;  ///< {"mean":..,"shift":..,...}
  std::string kind{};           ///< "point", "level", "flat_line", ...: see ml::AnomalyKind.
  std::string tier{};           ///< "notable" is kept as evidence, "alerting" may wake somebody.
  double band_low = 0;          ///< Ordinary values lie between these two.
  double band_high = 0;
  double evidence = 0;          ///< Decades of improbability.
  std::optional<Timestamp> since{};  ///< When the oddness began.
  bool is_rate = false;  ///< The series is a counter: value, expected and band are of its rate a second.
  std::string contributions_json{};  ///< [{"view":..,"feature":..,"value":..,"evidence":..},...], strongest first.
};

enum class AnalysisType { anomaly_detection, evidence_report, llm_analysis };
[[nodiscard]] std::string_view to_string(AnalysisType type);
[[nodiscard]] std::optional<AnalysisType> parse_analysis_type(std::string_view text);

/// A row of `ai_analysis_results`.
struct Analysis {
  AnalysisId id = 0;
  std::optional<EpisodeId> alert_id;   ///< Set for evidence_report and llm_analysis.
  std::optional<SeriesId> series_id;   ///< Set for anomaly_detection.
  AnalysisType type = AnalysisType::evidence_report;
  std::string model_name;
  std::string data_json;               ///< analysis_data: object.
  double confidence = 0;               ///< 0..1
  Timestamp created_at;
};

/// A row of `model_versions`.
struct ModelVersion {
  std::int64_t id = 0;
  std::string version;
  std::string algorithm;
  std::string parameters_json;
  Timestamp training_date;
  bool is_active = false;
  std::string profile{};                   ///< Of the detectors: what a series may cost.
  std::optional<Timestamp> training_from{};  ///< What its figures were measured on; nothing when it was never measured.
  std::optional<Timestamp> training_to{};
  std::string quality_json{};              ///< Object of figures; empty until measured.
  std::string checksum{};                  ///< Of all that makes it what it is; filled by the store.
  bool is_pinned = false;                  ///< Activated by hand: the configuration does not replace it.
};

}  // namespace sensus::model
