#pragma once

#include "sensus/model/analysis.hpp"
#include "sensus/model/event.hpp"
#include "sensus/storage/alerts.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sensus::storage {

struct NewAnalysis {
  EpisodeId alert_id = 0;
  EventId event_id = 0;  ///< The event that asked for it: (tenant, event, type) is unique, so a redelivery has no second effect.
  model::AnalysisType type = model::AnalysisType::evidence_report;
  std::string model_name;
  std::string data_json;
  double confidence = 0;
  std::vector<model::NewEvent> follow_ups;  ///< Written to the outbox in the same transaction.
};

struct AnalysisFilter {
  std::optional<EpisodeId> alert_id;
  std::optional<model::AnalysisType> type;
  std::optional<Timestamp> from;
  std::optional<Timestamp> to;
  std::size_t limit = 50;
  std::optional<model::PageKey> after;  ///< (created_at, id)
};

struct AnomalyFilter {
  std::string metric_name;
  std::vector<model::Matcher> matchers;
  std::optional<Timestamp> from;
  std::optional<Timestamp> to;
  double score_min = 0;
  std::string tier;  ///< Empty = any.
  std::size_t limit = 50;
  std::optional<model::PageKey> after;  ///< (observed_at, id)
};

/// Rows of ai_analysis_results. A verb that commits an effect also finishes the event that caused it, in the same transaction: only
/// then may the stream entry be acknowledged.
class AnalysisStore {
 public:
  virtual ~AnalysisStore() = default;
  /// Inserts what is new of (tenant, series, time), an `anomaly` event for each, and finishes `done`. Returns how many were new.
  [[nodiscard]] virtual runtime::Async<std::size_t> store_anomalies(Deadline deadline, TenantId tenant, std::vector<model::Anomaly> anomalies,
                                                                   std::vector<EventId> done) = 0;
  /// Inserts the analysis unless the same event already has one of its type, an `analysis` event, the follow-ups, and finishes the event.
  [[nodiscard]] virtual runtime::Async<AnalysisId> store_analysis(Deadline deadline, TenantId tenant, NewAnalysis analysis) = 0;
  [[nodiscard]] virtual runtime::Async<Page<model::Analysis>> list(Deadline deadline, TenantId tenant, AnalysisFilter filter) = 0;
  /// The newest evidence_report or llm_analysis; `not_found` when there is none.
  [[nodiscard]] virtual runtime::Async<model::Analysis> latest(Deadline deadline, TenantId tenant) = 0;
  [[nodiscard]] virtual runtime::Async<Page<model::Anomaly>> anomalies(Deadline deadline, TenantId tenant, AnomalyFilter filter) = 0;
};
[[nodiscard]] std::unique_ptr<AnalysisStore> make_analysis_store(pg::Database& database);

class ModelStore {
 public:
  virtual ~ModelStore() = default;
  /// Inserts and makes it the active one of its algorithm. Fills id and checksum.
  [[nodiscard]] virtual runtime::Async<model::ModelVersion> publish(Deadline deadline, TenantId tenant, model::ModelVersion version) = 0;
  [[nodiscard]] virtual runtime::Async<Page<model::ModelVersion>> list(Deadline deadline, TenantId tenant, std::size_t limit,
                                                                      std::optional<model::PageKey> after) = 0;
  /// Inserts it, not active.
  [[nodiscard]] virtual runtime::Async<model::ModelVersion> add(Deadline deadline, TenantId tenant, model::ModelVersion version) = 0;
  /// `not_found` without such a version.
  [[nodiscard]] virtual runtime::Async<model::ModelVersion> get(Deadline deadline, TenantId tenant, std::int64_t id) = 0;
  /// `not_found` when none of this algorithm is active.
  [[nodiscard]] virtual runtime::Async<model::ModelVersion> active(Deadline deadline, TenantId tenant, std::string algorithm) = 0;
  /// Makes it the active one of its algorithm, pinned. `not_found`; `corrupt` when its checksum does not hold: then nothing changes.
  [[nodiscard]] virtual runtime::Async<model::ModelVersion> activate(Deadline deadline, TenantId tenant, std::int64_t id) = 0;
  /// Replaces the figures and what they were measured on. `not_found`.
  [[nodiscard]] virtual runtime::Async<> set_quality(Deadline deadline, TenantId tenant, std::int64_t id, std::string quality_json,
                                                     Timestamp from, Timestamp to) = 0;
  /// Deletes all but the newest `keep` of an algorithm; the active one stays. Returns how many went.
  [[nodiscard]] virtual runtime::Async<std::size_t> purge(Deadline deadline, TenantId tenant, std::string algorithm, std::size_t keep) = 0;
};
[[nodiscard]] std::unique_ptr<ModelStore> make_model_store(pg::Database& database);

}  // namespace sensus::storage
