#include "explain_internal.hpp"

#include "sensus/runtime/backoff.hpp"

#include <algorithm>
#include <utility>

namespace sensus::analysis {
namespace {

using stream::Disposition;
using telemetry::LogLevel;

constexpr std::chrono::seconds kStoragePatience{30};

/// How long a request rests in the outbox before it is tried again.
std::chrono::milliseconds rest_of(const ExplainContext& context) {
  return std::clamp<std::chrono::milliseconds>(context.deps.ollama.options().breaker_pause, 1s, 60s);
}

/// Finishes a request without an answer; the alert keeps its evidence report.
runtime::Async<Disposition> drop(ExplainContext& context, EventId id, RequestOutcome outcome) {
  std::vector<EventId> ids{id};
  Result<> finished = co_await context.deps.outbox.finish(Deadline::after(kStorageTimeout), std::move(ids));
  if (!finished) {
    context.instruments.count(RequestOutcome::postponed);
    co_return postpone(std::move(finished).error());
  }
  context.instruments.count(outcome);
  if (outcome == RequestOutcome::too_old || outcome == RequestOutcome::queue_full) {
    context.deps.log.throttled(LogLevel::error, "llm_request_dropped",
                               "an alert keeps its evidence report only: the LLM did not get to it in time. Check Ollama, or raise "
                               "llm.queue_limit and llm.request_age_max",
                               {{"reason", kRequestOutcomes.at(static_cast<std::size_t>(outcome))}});
  }
  co_return Disposition::ack;
}

/// Back to the outbox for `rest`, so that waiting for Ollama uses up no deliveries; this entry of the stream is done.
runtime::Async<Disposition> defer(ExplainContext& context, EventId id, std::string stream_id, std::chrono::milliseconds rest) {
  const Deadline deadline = Deadline::after(kStorageTimeout);
  Result<> deferred = co_await context.deps.outbox.defer(deadline, id, std::move(stream_id), rest);
  if (!deferred) {
    context.instruments.count(RequestOutcome::postponed);
    co_return postpone(std::move(deferred).error());
  }
  context.instruments.count(RequestOutcome::deferred);
  co_return Disposition::ack;
}

storage::NewAnalysis make_analysis(const ExplainRequest& request, EventId event_id, const llm::Prompt& prompt, const llm::Answer& answer) {
  storage::NewAnalysis out;
  out.alert_id = request.alert_id;
  out.event_id = event_id;
  out.type = model::AnalysisType::llm_analysis;
  out.model_name = answer.model;
  out.confidence = answer.explanation.confidence;
  out.data_json = render_answer(request, prompt, answer);
  return out;
}

/// An answer took minutes to make: storing it is tried for a while before it is thrown away and asked for again.
runtime::Async<Disposition> store_answer(ExplainContext& context, TenantId tenant, storage::NewAnalysis analysis) {
  const Deadline patience = Deadline::after(kStoragePatience);
  runtime::Backoff backoff({100ms, 2000ms});
  for (;;) {
    storage::NewAnalysis copy = analysis;
    const Deadline deadline = Deadline::after(kStorageTimeout);
    Result<AnalysisId> stored = co_await context.deps.analyses.store_analysis(deadline, tenant, std::move(copy));
    if (stored) {
      context.instruments.count(RequestOutcome::stored);
      context.wake_relay();
      co_return Disposition::ack;
    }
    const std::chrono::milliseconds pause = backoff.next();
    if (!traits_of(stored.error().code).retryable || patience.remaining() < pause) {
      context.instruments.count(RequestOutcome::postponed);
      context.deps.log.throttled(LogLevel::warning, "llm_answer_not_stored",
                                 "an LLM analysis could not be stored and will be asked for again. Check PostgreSQL",
                                 {{"reason", stored.error().message}});
      co_return postpone(std::move(stored).error());
    }
    Result<> slept = co_await runtime::sleep(pause);
    if (!slept) {
      co_return std::move(slept).error();
    }
  }
}

/// A model that fails on this very request would fail again; anything else is an outage that passes.
bool is_unusable(const Error& error) {
  return error.code == Errc::corrupt || error.code == Errc::too_large || error.code == Errc::invalid_input;
}

runtime::Async<Disposition> ask(ExplainContext& context, ExplainRequest request, EventId event_id, std::string stream_id) {
  const Deadline loading = Deadline::after(kStorageTimeout);
  Result<model::Episode> alert = co_await context.deps.alerts.get(loading, request.tenant, request.alert_id);
  if (!alert && alert.error().code == Errc::not_found) {
    co_return co_await drop(context, event_id, RequestOutcome::alert_gone);
  }
  if (!alert) {
    context.instruments.count(RequestOutcome::postponed);
    co_return postpone(std::move(alert).error());
  }
  llm::Ollama& ollama = context.deps.ollama;
  llm::Prompt prompt = llm::build_prompt(*alert, request.report_json, ollama.prompt_budget());
  const Deadline deadline = Deadline::after(ollama.time_limit_total());
  Result<llm::Answer> answer = co_await ollama.explain(deadline, prompt);
  if (answer) {
    storage::NewAnalysis analysis = make_analysis(request, event_id, prompt, *answer);
    co_return co_await store_answer(context, request.tenant, std::move(analysis));
  }
  if (is_unusable(answer.error())) {
    context.instruments.count(RequestOutcome::unusable);
    context.deps.log.throttled(LogLevel::error, "llm_request_unusable",
                               "the model gave no usable answer for an alert; its request goes to dead_letters, its evidence report "
                               "stands. Try another llm.model",
                               {{"alert_id", request.alert_id}, {"reason", answer.error().message}});
    co_return Disposition::dead_letter;
  }
  co_return co_await defer(context, event_id, std::move(stream_id), rest_of(context));
}

}  // namespace

runtime::Async<Disposition> answer_request(ExplainContext& context, stream::Entry entry, Deadline start_until) {
  Result<ExplainRequest> request = parse_request(entry.event.payload);
  if (!request) {
    context.instruments.count(RequestOutcome::malformed);
    context.deps.log.throttled(LogLevel::error, "llm_request_malformed",
                               "an entry of the explanations stream is not a request; it goes to dead_letters. Who else writes there?",
                               {{"stream_id", entry.stream_id}});
    co_return Disposition::dead_letter;
  }
  const EventId id = entry.event.id;
  const llm::Options& options = context.deps.ollama.options();
  context.window.note(request->cause);
  if (!context.deps.ollama.enabled()) {
    co_return co_await drop(context, id, RequestOutcome::disabled);
  }
  if (context.deps.clock.now() - request->requested_at > options.request_age_max) {
    co_return co_await drop(context, id, RequestOutcome::too_old);
  }
  if (context.window.is_beyond(request->cause)) {
    co_return co_await drop(context, id, RequestOutcome::queue_full);
  }
  if (!context.deps.ollama.accepts_calls()) {
    co_return co_await defer(context, id, std::move(entry.stream_id), rest_of(context));
  }
  if (start_until.expired()) {
    co_return co_await defer(context, id, std::move(entry.stream_id), 0ms);
  }
  ExplainRequest wanted = std::move(*request);
  co_return co_await ask(context, std::move(wanted), id, std::move(entry.stream_id));
}

}  // namespace sensus::analysis
