#pragma once

#include "sensus/core/clock.hpp"
#include "sensus/llm/ollama.hpp"
#include "sensus/storage/analyses.hpp"
#include "sensus/storage/outbox.hpp"
#include "sensus/stream/consumer.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace sensus::config {
class Section;
}

namespace sensus::analysis {

struct EvidenceOptions {
  std::chrono::milliseconds window_before{15 * 60'000};  ///< Of the alert's start.
  std::chrono::milliseconds window_after{5 * 60'000};
  std::int64_t anomalies_max = 100;
  std::int64_t alerts_max = 50;
};
void describe(config::Section& section, EvidenceOptions& options);

/// Alerts -> evidence_report (deterministic, in seconds, with or without an LLM) -> a request on `explanations` when Ollama is enabled
/// -> llm_analysis, which refines it. **Threading**: reactor. Idempotent by (event, type).
class ExplainWorker {
 public:
  struct Deps {
    storage::AlertStore& alerts;
    storage::AnalysisStore& analyses;
    storage::Outbox& outbox;
    llm::Ollama& ollama;
    const Clock& clock;
    telemetry::Log log;
    telemetry::Metrics& metrics;
    std::function<void()> on_outbox;
  };
  ExplainWorker(Deps deps, EvidenceOptions options);
  ~ExplainWorker();
  ExplainWorker(const ExplainWorker&) = delete;
  ExplainWorker& operator=(const ExplainWorker&) = delete;

  /// Handler of the alerts topic. An Error (storage away) leaves the whole batch pending; doing it again has no second effect.
  [[nodiscard]] runtime::Async<std::vector<stream::Disposition>> handle_alerts(std::vector<stream::Entry> entries);
  /// Handler of the explanations topic; takes as long as the LLM does: at most llm time_limit plus one call with all its attempts. An entry
  /// that cannot be answered now (Ollama away, breaker open) goes back to the outbox for a while, so an outage costs no deliveries; beyond
  /// llm.queue_limit or llm.request_age_max it is finished and counted; one whose answers are unusable is a dead letter.
  [[nodiscard]] runtime::Async<std::vector<stream::Disposition>> handle_explanations(std::vector<stream::Entry> entries);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sensus::analysis
