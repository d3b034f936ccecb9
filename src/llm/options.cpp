#include "sensus/config/section.hpp"
#include "sensus/llm/ollama.hpp"

namespace sensus::llm {

void describe(config::Section& section, Options& options) {
  section.string("url", options.url,
                 "Where Ollama listens, e.g. http://localhost:11434. Empty: no LLM; alerts get the evidence report only.");
  section.string("model", options.model, "Name of the model as `ollama list` shows it. It must have been pulled.");
  section.integer("context_tokens", options.context_tokens, 1024, 262'144,
                  "Context of the model (num_ctx). The prompt is cut to fit. A change makes Ollama load the model anew.");
  section.integer("answer_tokens", options.answer_tokens, 64, 8192, "Longest answer (num_predict). A longer one is cut and thrown away.");
  section.string("keep_alive", options.keep_alive, "How long Ollama keeps the model in memory after a call, e.g. 10m; -1 = for ever.");
  section.duration("time_limit", options.time_limit, 1s, 30min,
                   "Wall clock of one call. Must cover loading the model and the whole answer.");
  section.size("response_limit", options.response_limit, 4_KiB, 16_MiB, "An answer over this is cut off and thrown away.");
  section.integer("attempts", options.attempts, 1, 5, "Calls for one alert when Ollama is busy or its answer unusable.");
  section.duration("retry_pause", options.retry_pause, 1ms, 1min, "Pause before the second attempt; it doubles with each further one.");
  section.integer("breaker_failures", options.breaker_failures, 1, 100, "Failed calls in a row after which Ollama is left alone for a while.");
  section.duration("breaker_pause", options.breaker_pause, 1s, 1h, "How long it is left alone before one call probes it again.");
  section.integer("queue_limit", options.queue_limit, 1, 10'000,
                  "Alerts that may wait for an LLM analysis. In an alert storm the oldest beyond it keep their evidence report only.");
  section.duration("request_age_max", options.request_age_max, 1min, std::chrono::hours{24},
                   "An alert that waited longer than this for its LLM analysis keeps its evidence report only.");
}

}  // namespace sensus::llm
