#pragma once

#include "sensus/core/byte_size.hpp"
#include "sensus/core/clock.hpp"
#include "sensus/llm/prompt.hpp"
#include "sensus/telemetry/health.hpp"
#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"
#include "sensus/webclient/client.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace sensus::config {
class Section;
}

namespace sensus::llm {

struct Options {
  std::string url;                 ///< http://host:11434; empty = no LLM.
  std::string model = "llama2";
  std::int64_t context_tokens = 4096;  ///< num_ctx: fixed, a change makes Ollama reload the model.
  std::int64_t answer_tokens = 512;    ///< num_predict
  std::string keep_alive = "10m";
  std::chrono::milliseconds time_limit{120'000};  ///< Wall clock of one call.
  ByteSize response_limit = 256_KiB;
  std::int64_t attempts = 2;
  std::chrono::milliseconds retry_pause{1000};  ///< Before the second attempt; doubles up to 8 times this, with jitter.
  std::int64_t breaker_failures = 3;
  std::chrono::milliseconds breaker_pause{30'000};
  std::int64_t queue_limit = 64;                     ///< Requests waiting; the oldest beyond it are dropped and counted.
  std::chrono::milliseconds request_age_max{900'000};
};
void describe(config::Section& section, Options& options);

/// Everything worth keeping of one call.
struct Answer {
  Explanation explanation;
  std::string model;
  std::int64_t prompt_tokens = 0;
  std::int64_t answer_tokens = 0;
  std::int64_t total_ms = 0;
  std::int64_t load_ms = 0;
  bool prompt_truncated = false;  ///< prompt_eval_count is far below the estimate: Ollama cut the prompt.
};

/// Pure circuit breaker: closed -> open after n failures in a row -> half-open (one probe) after the pause.
class Breaker {
 public:
  enum class State { closed, open, half_open };
  Breaker(std::int64_t failures, std::chrono::milliseconds pause) : failures_max_(failures), pause_(pause) {}
  /// May a call be made now? In half-open only one at a time.
  [[nodiscard]] bool try_acquire(std::chrono::steady_clock::time_point now);
  /// Ollama answered, usefully or not.
  void on_success();
  /// The call ended without telling anything about Ollama (cancelled): frees the probe.
  void on_abandoned() { probing_ = false; }
  void on_failure(std::chrono::steady_clock::time_point now);
  [[nodiscard]] State state(std::chrono::steady_clock::time_point now) const;

 private:
  std::int64_t failures_max_;
  std::chrono::milliseconds pause_;
  std::int64_t failures_ = 0;
  bool probing_ = false;
  bool open_ = false;
  std::chrono::steady_clock::time_point opened_at_{};
};

/// Asks Ollama (`POST /api/generate`, stream false, schema in format). One call at a time. **Errors**: unavailable (refused, 5xx, queue
/// full, breaker open), timeout, too_large, not_found (model missing: pull it), corrupt (not JSON, not done, cut short, schema broken),
/// invalid_input (400: Ollama does not take the request). An unusable answer or a busy server is tried again up to `attempts` times.
/// **Threading**: reactor. **Lifetime**: outlives its calls.
class Ollama {
 public:
  Ollama(Options options, webclient::Client& web, const Clock& clock, telemetry::Log log, telemetry::Metrics& metrics);
  [[nodiscard]] bool enabled() const { return !options_.url.empty(); }
  [[nodiscard]] runtime::Async<Answer> explain(Deadline deadline, Prompt prompt);
  /// The longest that `explain` takes when nothing else limits it: all attempts and the pauses between them.
  [[nodiscard]] std::chrono::milliseconds time_limit_total() const;
  /// Tokens that a prompt may have: the context less the answer and a margin for the chat template.
  [[nodiscard]] std::size_t prompt_budget() const;
  /// False while the breaker refuses: a call would fail at once.
  [[nodiscard]] bool accepts_calls() const;
  [[nodiscard]] telemetry::HealthReport health() const;
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  struct Instruments;
  [[nodiscard]] runtime::Async<Answer> try_once(Deadline deadline, const Prompt& prompt, std::int64_t attempt);
  void note_outcome(const Result<Answer>& outcome);
  Options options_;
  webclient::Client& web_;
  const Clock& clock_;
  telemetry::Log log_;
  std::shared_ptr<Instruments> instruments_;
  Breaker breaker_;
};

}  // namespace sensus::llm
