#pragma once

#include "sensus/model/alert.hpp"
#include "sensus/model/analysis.hpp"
#include "sensus/storage/alerts.hpp"

#include <string>
#include <vector>

namespace sensus::analysis {

/// What is known around an alert, as loaded from storage.
struct EvidenceInput {
  model::Episode alert;
  std::vector<model::Anomaly> anomalies;  ///< In the window, any order.
  std::vector<model::Episode> other_alerts;
  storage::AlertStore::Recurrence recurrence;
};

/// One ranked candidate: all anomalies of one series.
struct Suspect {
  model::Anomaly strongest;
  Timestamp first_seen;
  std::size_t anomalous_steps = 0;
  double label_overlap = 0;  ///< Share of the alert's identifying labels that the series has with the same value.
  double rank_score = 0;
};

struct EvidenceReport {
  std::vector<Suspect> suspects;  ///< Best first.
  std::string data_json;          ///< analysis_data: {"summary","suspects":[...],"other_alerts":[...],"recurrence":{...}}
  double confidence = 0;
};

/// Deterministic: ranks by score, label overlap and time order (what came before the alert counts more). Pure.
[[nodiscard]] EvidenceReport build_evidence(const EvidenceInput& input);

}  // namespace sensus::analysis
