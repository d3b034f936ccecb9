#include "explain_internal.hpp"

#include "sensus/codec/model_json.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace sensus::analysis {
namespace {

using stream::Disposition;

/// The window around the alert's start, as far as it has passed.
void set_window(const ExplainContext& context, EvidenceInput& input) {
  const Timestamp start = input.alert.starts_at;
  input.window_from = start - context.options.window_before;
  input.window_to = std::min<Timestamp>(start + context.options.window_after, context.deps.clock.now());
  input.window_to = std::max(input.window_to, input.window_from);
}

/// The identifying label that narrows most, to look again when anomalies flood the window.
std::optional<model::Matcher> narrowest_matcher(const model::Labels& labels) {
  constexpr std::array<std::string_view, 8> kOrder = {"pod", "instance", "service", "service_name", "app", "host", "job", "namespace"};
  for (const std::string_view name : kOrder) {
    if (const std::string* value = labels.find(name); value != nullptr && !value->empty()) {
      return model::Matcher{std::string(name), model::MatchOp::equal, *value};
    }
  }
  return std::nullopt;
}

void merge_anomalies(std::vector<model::Anomaly>& into, std::vector<model::Anomaly> more) {
  std::set<std::pair<SeriesId, Timestamp>> known;
  for (const model::Anomaly& anomaly : into) {
    known.emplace(anomaly.series_id, anomaly.time);
  }
  for (model::Anomaly& anomaly : more) {
    if (known.emplace(anomaly.series_id, anomaly.time).second) {
      into.push_back(std::move(anomaly));
    }
  }
}

runtime::Async<std::vector<model::Anomaly>> load_anomalies(ExplainContext& context, TenantId tenant, EvidenceInput input) {
  const Deadline deadline = Deadline::after(kStorageTimeout);
  storage::AnomalyFilter filter;
  filter.from = input.window_from;
  filter.to = input.window_to;
  filter.limit = static_cast<std::size_t>(context.options.anomalies_max);
  Result<storage::Page<model::Anomaly>> page = co_await context.deps.analyses.anomalies(deadline, tenant, filter);
  if (!page) {
    co_return std::move(page).error();
  }
  std::vector<model::Anomaly> found = std::move(page->items);
  const std::optional<model::Matcher> matcher = narrowest_matcher(input.alert.labels);
  if (page->next && matcher) {
    // More anomalies than a report holds, and the page has the newest: those that share the alert's source must not be missing.
    filter.matchers.push_back(*matcher);
    Result<storage::Page<model::Anomaly>> near = co_await context.deps.analyses.anomalies(deadline, tenant, filter);
    if (!near) {
      co_return std::move(near).error();
    }
    merge_anomalies(found, std::move(near->items));
  }
  co_return found;
}

runtime::Async<EvidenceInput> load_input(ExplainContext& context, codec::AlertEvent alert) {
  const Deadline deadline = Deadline::after(kStorageTimeout);
  EvidenceInput input;
  Result<model::Episode> episode = co_await context.deps.alerts.get(deadline, alert.tenant, alert.alert_id);
  if (!episode) {
    co_return std::move(episode).error();
  }
  input.alert = std::move(*episode);
  set_window(context, input);
  Result<std::vector<model::Anomaly>> anomalies = co_await load_anomalies(context, alert.tenant, input);
  if (!anomalies) {
    co_return std::move(anomalies).error();
  }
  input.anomalies = std::move(*anomalies);
  const auto alerts_max = static_cast<std::size_t>(context.options.alerts_max);
  Result<std::vector<model::Episode>> others = co_await context.deps.alerts.overlapping(
      deadline, alert.tenant, alert.alert_id, input.window_from, input.window_to, alerts_max);
  if (!others) {
    co_return std::move(others).error();
  }
  input.other_alerts = std::move(*others);
  Result<storage::AlertStore::Recurrence> recurrence = co_await context.deps.alerts.recurrence(deadline, alert.tenant, alert.alert_id);
  if (!recurrence) {
    co_return std::move(recurrence).error();
  }
  input.recurrence = *recurrence;
  co_return input;
}

storage::NewAnalysis make_report(const ExplainContext& context, const codec::AlertEvent& alert, EventId event_id, EvidenceReport report) {
  storage::NewAnalysis out;
  out.alert_id = alert.alert_id;
  out.event_id = event_id;
  out.type = model::AnalysisType::evidence_report;
  out.model_name = kEvidenceModel;
  out.confidence = report.confidence;
  if (context.deps.ollama.enabled()) {
    const ExplainRequest request{alert.tenant, alert.alert_id, event_id, context.deps.clock.now(), report.data_json};
    out.follow_ups.push_back({model::Topic::explanations, "explain", render_request(request)});
  }
  out.data_json = std::move(report.data_json);
  return out;
}

runtime::Async<ReportOutcome> finish(ExplainContext& context, EventId event_id, ReportOutcome outcome) {
  std::vector<EventId> ids{event_id};
  const Deadline deadline = Deadline::after(kStorageTimeout);
  Result<> finished = co_await context.deps.outbox.finish(deadline, std::move(ids));
  if (!finished) {
    co_return std::move(finished).error();
  }
  co_return outcome;
}

/// One try. Safe to repeat: nothing is stored before the last step, and that one is unique by (event, type).
runtime::Async<ReportOutcome> try_report(ExplainContext& context, codec::AlertEvent alert, EventId event_id) {
  if (alert.change == "resolved") {
    co_return co_await finish(context, event_id, ReportOutcome::nothing_to_do);
  }
  Result<EvidenceInput> input = co_await load_input(context, alert);
  if (!input && input.error().code == Errc::not_found) {
    co_return co_await finish(context, event_id, ReportOutcome::alert_gone);
  }
  if (!input) {
    co_return std::move(input).error();
  }
  storage::NewAnalysis analysis = make_report(context, alert, event_id, build_evidence(*input));
  const bool asks_llm = !analysis.follow_ups.empty();
  const Deadline deadline = Deadline::after(kStorageTimeout);
  Result<AnalysisId> stored = co_await context.deps.analyses.store_analysis(deadline, alert.tenant, std::move(analysis));
  if (!stored) {
    co_return std::move(stored).error();
  }
  if (asks_llm) {
    context.window.note(event_id);
  }
  context.wake_relay();
  co_return ReportOutcome::stored;
}

bool is_known_change(std::string_view change) { return change == "created" || change == "reopened" || change == "resolved"; }

}  // namespace

runtime::Async<Disposition> report_alert(ExplainContext& context, stream::Entry entry) {
  Result<codec::AlertEvent> alert = codec::parse_alert_event(entry.event.payload);
  if (!alert || !is_known_change(alert->change)) {
    context.instruments.count(ReportOutcome::malformed);
    context.deps.log.throttled(telemetry::LogLevel::error, "alert_event_malformed",
                               "an entry of the alerts stream is not an alert event; it goes to dead_letters. Who else writes there?",
                               {{"stream_id", entry.stream_id}});
    co_return Disposition::dead_letter;
  }
  const EpisodeId alert_id = alert->alert_id;
  Result<ReportOutcome> outcome = co_await try_report(context, std::move(*alert), entry.event.id);
  if (!outcome) {
    context.instruments.count(ReportOutcome::postponed);
    context.deps.log.throttled(telemetry::LogLevel::warning, "report_postponed",
                               "an alert's report could not be made; its entry stays pending and is taken up again. Check PostgreSQL",
                               {{"alert_id", alert_id}, {"reason", outcome.error().message}});
    co_return postpone(std::move(outcome).error());
  }
  context.instruments.count(*outcome);
  if (*outcome == ReportOutcome::stored) {
    const std::chrono::duration<double> delay = context.deps.clock.now() - entry.event.created_at;
    context.instruments.report_delay.observe(delay.count());
  }
  co_return Disposition::ack;
}

}  // namespace sensus::analysis
