#include "sensus/llm/ollama.hpp"

#include "ollama_wire_internal.hpp"

#include "sensus/runtime/backoff.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace sensus::llm {
namespace {

constexpr std::int64_t kTemplateTokens = 96;  ///< What the model's chat template adds.
constexpr std::int64_t kPauseGrowth = 8;

const std::vector<double>& call_buckets() {
  static const std::vector<double> buckets{0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300};
  return buckets;
}

constexpr std::array kOutcomes = {"ok",        "invalid",     "truncated", "unavailable", "timeout",
                                  "too_large", "not_found",   "refused",   "rejected",    "cancelled"};

/// Low-cardinality name of how a call ended.
std::string_view outcome_of(const Error& error) {
  switch (error.code) {
    case Errc::corrupt:
      return error.field == kCutShort ? "truncated" : "invalid";
    case Errc::timeout:
      return "timeout";
    case Errc::too_large:
      return "too_large";
    case Errc::not_found:
      return "not_found";
    case Errc::invalid_input:
      return "refused";
    case Errc::cancelled:
      return "cancelled";
    default:
      return "unavailable";
  }
}

enum class Verdict { alive, down, unknown };

/// What an outcome says about Ollama itself. A model that writes nonsense is not an outage; a proxy's HTML page is.
Verdict verdict_of(const Error& error) {
  switch (error.code) {
    case Errc::invalid_input:
      return Verdict::alive;
    case Errc::corrupt:
      return error.field == kNotOllama ? Verdict::down : Verdict::alive;
    case Errc::cancelled:
    case Errc::overloaded:
      return Verdict::unknown;
    default:
      return Verdict::down;
  }
}

/// A busy server and an unusable answer are worth another try; a missing model, a refusal or a spent time limit are not.
bool worth_another_try(const Error& error) { return error.code == Errc::corrupt || error.code == Errc::unavailable; }

/// Frees the breaker's probe when the call ends by an exception (its coroutine was cancelled).
class ProbeGuard {
 public:
  explicit ProbeGuard(Breaker& breaker) : breaker_(&breaker) {}
  ~ProbeGuard() {
    if (breaker_ != nullptr) {
      breaker_->on_abandoned();
    }
  }
  ProbeGuard(const ProbeGuard&) = delete;
  ProbeGuard& operator=(const ProbeGuard&) = delete;
  void release() { breaker_ = nullptr; }

 private:
  Breaker* breaker_;
};

}  // namespace

struct Ollama::Instruments {
  explicit Instruments(telemetry::Metrics& metrics)
      : seconds(metrics.histogram("sensus_llm_request_seconds", "Wall clock of one call to Ollama.", call_buckets())),
        prompt_tokens(metrics.counter("sensus_llm_prompt_tokens_total", "Tokens of prompts as Ollama counted them.")),
        answer_tokens(metrics.counter("sensus_llm_answer_tokens_total", "Tokens of answers as Ollama counted them.")),
        truncated_prompts(metrics.counter("sensus_llm_truncated_prompts_total",
                                          "Answers to prompts that Ollama seems to have cut; raise llm.context_tokens.")),
        breaker(metrics.gauge("sensus_llm_breaker_state", "State of the circuit breaker: 0 closed, 1 half-open, 2 open.")) {
    for (std::size_t i = 0; i < kOutcomes.size(); ++i) {
      requests.at(i) = metrics.counter("sensus_llm_requests_total", "Calls to Ollama by outcome.", {{"outcome", kOutcomes.at(i)}});
    }
  }
  void count(std::string_view outcome) const {
    const auto found = std::find(kOutcomes.begin(), kOutcomes.end(), outcome);
    if (found != kOutcomes.end()) {
      requests.at(static_cast<std::size_t>(found - kOutcomes.begin())).inc();
    }
  }

  std::array<telemetry::Counter, kOutcomes.size()> requests;
  telemetry::Histogram seconds;
  telemetry::Counter prompt_tokens;
  telemetry::Counter answer_tokens;
  telemetry::Counter truncated_prompts;
  telemetry::Gauge breaker;
  std::string last_error;  ///< Of the last call that says Ollama is down; reactor only.
};

Ollama::Ollama(Options options, webclient::Client& web, const Clock& clock, telemetry::Log log, telemetry::Metrics& metrics)
    : options_(std::move(options)),
      web_(web),
      clock_(clock),
      log_(std::move(log)),
      instruments_(std::make_shared<Instruments>(metrics)),
      breaker_(options_.breaker_failures, options_.breaker_pause) {
  while (!options_.url.empty() && options_.url.back() == '/') {
    options_.url.pop_back();
  }
}

std::chrono::milliseconds Ollama::time_limit_total() const {
  return options_.attempts * options_.time_limit + (options_.attempts - 1) * options_.retry_pause * kPauseGrowth;
}

std::size_t Ollama::prompt_budget() const {
  return static_cast<std::size_t>(std::max<std::int64_t>(options_.context_tokens - options_.answer_tokens - kTemplateTokens, 0));
}

bool Ollama::accepts_calls() const { return breaker_.state(clock_.steady_now()) != Breaker::State::open; }

runtime::Async<Answer> Ollama::explain(Deadline deadline, Prompt prompt) {
  runtime::Backoff backoff({options_.retry_pause, options_.retry_pause * kPauseGrowth});
  Result<Answer> last = make_error(Errc::unavailable, "no LLM is configured; set llm.url");
  for (std::int64_t attempt = 0; enabled() && attempt < options_.attempts; ++attempt) {
    if (attempt > 0) {
      const std::chrono::milliseconds pause = backoff.next();
      Result<> slept = co_await runtime::sleep(pause);
      if (!slept) {
        co_return std::move(slept).error();
      }
    }
    if (!breaker_.try_acquire(clock_.steady_now())) {
      instruments_->count("rejected");
      if (attempt == 0) {
        co_return make_error(Errc::unavailable, "Ollama failed several times in a row and is left alone for a while");
      }
      break;
    }
    last = co_await try_once(deadline, prompt, attempt);
    if (last || !worth_another_try(last.error()) || deadline.expired()) {
      break;
    }
  }
  co_return last;
}

// `prompt` belongs to the frame of `explain`, which awaits this.
runtime::Async<Answer> Ollama::try_once(Deadline deadline, const Prompt& prompt, std::int64_t attempt) {
  ProbeGuard probe(breaker_);
  webclient::OutRequest request;
  request.method = "POST";
  request.url = options_.url + "/api/generate";
  request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  request.body = render_generate(options_, prompt, attempt);
  request.response_limit = options_.response_limit;
  const auto started = clock_.steady_now();
  const Deadline call_deadline = min(deadline, Deadline::after(options_.time_limit));
  Result<webclient::OutResponse> response = co_await web_.send(call_deadline, std::move(request));
  probe.release();
  const std::chrono::duration<double> took = clock_.steady_now() - started;
  instruments_->seconds.observe(took.count());
  Result<Answer> answer = response ? parse_generate(options_, prompt, *response) : Result<Answer>(std::move(response).error());
  note_outcome(answer);
  co_return answer;
}

void Ollama::note_outcome(const Result<Answer>& outcome) {
  const auto now = clock_.steady_now();
  const Breaker::State before = breaker_.state(now);
  const Verdict verdict = outcome ? Verdict::alive : verdict_of(outcome.error());
  if (verdict == Verdict::alive) {
    breaker_.on_success();
  } else if (verdict == Verdict::down) {
    breaker_.on_failure(now);
    instruments_->last_error = outcome.error().message;
  } else {
    breaker_.on_abandoned();
  }
  const Breaker::State state = breaker_.state(now);
  instruments_->breaker.set(state == Breaker::State::closed ? 0 : state == Breaker::State::half_open ? 1 : 2);
  if (before != Breaker::State::closed && state == Breaker::State::closed) {
    log_.info("Ollama answers again; LLM analyses go on");
  }
  if (outcome) {
    instruments_->count("ok");
    instruments_->prompt_tokens.inc(static_cast<double>(outcome->prompt_tokens));
    instruments_->answer_tokens.inc(static_cast<double>(outcome->answer_tokens));
    if (outcome->prompt_truncated) {
      instruments_->truncated_prompts.inc();
      log_.throttled(telemetry::LogLevel::warning, "llm_prompt_truncated",
                     "Ollama seems to have cut the prompt; check llm.context_tokens against the model's context",
                     {{"prompt_tokens", outcome->prompt_tokens}, {"context_tokens", options_.context_tokens}});
    }
    return;
  }
  const std::string_view name = outcome_of(outcome.error());
  instruments_->count(name);
  log_.throttled(telemetry::LogLevel::warning, "llm_call_failed",
                 "a call to Ollama failed; alerts keep their evidence reports. Check Ollama and llm.url, llm.model",
                 {{"outcome", name}, {"reason", outcome.error().message}, {"breaker_open", state == Breaker::State::open}});
}

telemetry::HealthReport Ollama::health() const {
  if (!enabled() || breaker_.state(clock_.steady_now()) == Breaker::State::closed) {
    return {};
  }
  return {telemetry::HealthState::degraded,
          "Ollama fails (" + instruments_->last_error + "); alerts get evidence reports only until it answers"};
}

}  // namespace sensus::llm
