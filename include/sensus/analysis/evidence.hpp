#pragma once

#include "sensus/model/alert.hpp"
#include "sensus/model/analysis.hpp"
#include "sensus/storage/alerts.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace sensus::analysis {

inline constexpr std::size_t kSuspectsShown = 20;
inline constexpr std::size_t kAlertsShown = 20;
/// model_name of evidence reports; changes with the ranking.
inline constexpr std::string_view kEvidenceModel = "sensus-evidence-1";

/// What is known around an alert, as loaded from storage.
struct EvidenceInput {
  model::Episode alert;
  std::vector<model::Anomaly> anomalies;  ///< In the window, any order.
  std::vector<model::Episode> other_alerts;
  storage::AlertStore::Recurrence recurrence;
  Timestamp window_from;  ///< What was looked at: [window_from, window_to).
  Timestamp window_to;    ///< Not later than the moment of looking.
};

/// One ranked candidate: all anomalies of one series.
struct Suspect {
  model::Anomaly strongest;
  Timestamp first_seen;
  std::size_t anomalous_steps = 0;
  double label_overlap = 0;  ///< Share of the alert's identifying labels that the series has with the same value.
  double rank_score = 0;     ///< 0..1
};

struct EvidenceReport {
  std::vector<Suspect> suspects;  ///< Best first.
  std::string summary;            ///< A few sentences for the person on call; says so when nothing is known.
  std::string data_json;  ///< analysis_data: {"summary","suspects":[...],"other_alerts":[...],"recurrence":{...},"window":{...}}
  double confidence = 0;  ///< 0 without a suspect; else the best rank, less when the second is close behind.
};

/// The labels that say where something runs (service, instance, job, host, pod, namespace, ...): those that can link an alert to a series.
[[nodiscard]] bool is_identifying_label(std::string_view name);
/// Share of `alert`'s identifying labels that `other` has with the same value; 0 when the alert has none. An `instance` that differs
/// in its port only counts half.
[[nodiscard]] double label_overlap(const model::Labels& alert, const model::Labels& other);

/// Deterministic and independent of the order of its input. A series' rank is its highest score, times label overlap (1/2 with none, 1 with
/// all), times time order (1 just before the alert, falling to 0.7 at the window's far end; 0.6 just after its start, falling to 0.3),
/// times persistence (0.9 for one anomalous step, 1 from five). At most kSuspectsShown and kAlertsShown go into data_json. Pure.
[[nodiscard]] EvidenceReport build_evidence(const EvidenceInput& input);

}  // namespace sensus::analysis
