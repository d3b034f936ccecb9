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
  double value = 0;
  double expected = 0;      ///< Robust centre of the window before the step.
  double score = 0;         ///< 0..1, 2^(-E[h]/c).
  double threshold = 0;
  std::string model_version;
  std::string features_json;  ///< {"value":..,"difference":..,...}
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
};

}  // namespace sensus::model
