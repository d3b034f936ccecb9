#pragma once

#include "sensus/analysis/evidence.hpp"
#include "sensus/analysis/explain_worker.hpp"

#include <array>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace sensus::analysis {

/// Payload of an entry on the explanations topic.
struct ExplainRequest {
  TenantId tenant = kDefaultTenant;
  EpisodeId alert_id = 0;
  EventId cause = 0;  ///< The alert event that led to it: requests are as old as their causes.
  Timestamp requested_at;
  std::string report_json;  ///< analysis_data of the evidence report.
};
[[nodiscard]] std::string render_request(const ExplainRequest& request);
[[nodiscard]] Result<ExplainRequest> parse_request(std::string_view json);

/// analysis_data of an llm_analysis.
[[nodiscard]] std::string render_answer(const ExplainRequest& request, const llm::Prompt& prompt, const llm::Answer& answer);

/// Knows the newest `limit` requests; one older than all of them is beyond the queue's limit. Holds ids only. Pure.
class RequestWindow {
 public:
  explicit RequestWindow(std::size_t limit) : limit_(limit) {}
  void note(EventId cause);
  [[nodiscard]] bool is_beyond(EventId cause) const { return newest_.size() >= limit_ && cause < *newest_.begin(); }

 private:
  std::size_t limit_;
  std::set<EventId> newest_;
};

enum class ReportOutcome { stored, nothing_to_do, alert_gone, malformed, postponed };
inline constexpr std::array<std::string_view, 5> kReportOutcomes = {"stored", "nothing_to_do", "alert_gone", "malformed", "postponed"};
enum class RequestOutcome { stored, deferred, too_old, queue_full, alert_gone, unusable, malformed, disabled, postponed };
inline constexpr std::array<std::string_view, 9> kRequestOutcomes = {"stored",   "deferred",  "too_old",  "queue_full", "alert_gone",
                                                                     "unusable", "malformed", "disabled", "postponed"};

/// Handles of the worker's metrics.
struct ExplainInstruments {
  explicit ExplainInstruments(telemetry::Metrics& metrics);
  void count(ReportOutcome outcome) const { reports.at(static_cast<std::size_t>(outcome)).inc(); }
  void count(RequestOutcome outcome) const { requests.at(static_cast<std::size_t>(outcome)).inc(); }

  std::array<telemetry::Counter, kReportOutcomes.size()> reports;
  std::array<telemetry::Counter, kRequestOutcomes.size()> requests;
  telemetry::Histogram report_delay;
};

/// What the worker's coroutines share. Reactor only; outlives them, since the worker's handlers hold it.
struct ExplainContext {
  ExplainContext(ExplainWorker::Deps d, EvidenceOptions o)
      : deps(std::move(d)),
        options(o),
        instruments(deps.metrics),
        window(static_cast<std::size_t>(deps.ollama.options().queue_limit)) {}
  void wake_relay() const {
    if (deps.on_outbox) {
      deps.on_outbox();
    }
  }

  ExplainWorker::Deps deps;
  EvidenceOptions options;
  ExplainInstruments instruments;
  RequestWindow window;
};

/// Alert event -> stored report. An Error is one that passes by itself: storage is away.
[[nodiscard]] runtime::Async<stream::Disposition> report_alert(ExplainContext& context, stream::Entry entry);

/// Request -> stored answer. After `start_until` no call is begun: the request goes back to the outbox. Errors as report_alert.
[[nodiscard]] runtime::Async<stream::Disposition> answer_request(ExplainContext& context, stream::Entry entry, Deadline start_until);

/// Error when it passes by itself, else `retry`: it is delivered again, and after some deliveries it is a dead letter.
[[nodiscard]] inline Result<stream::Disposition> postpone(Error error) {
  if (traits_of(error.code).retryable) {
    return error;
  }
  return stream::Disposition::retry;
}

/// Each storage call's own limit.
inline constexpr std::chrono::seconds kStorageTimeout{10};

}  // namespace sensus::analysis
