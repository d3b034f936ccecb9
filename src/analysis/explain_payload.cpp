#include "explain_internal.hpp"

#include <nlohmann/json.hpp>

namespace sensus::analysis {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// An object, or an empty one.
Json parse_object(std::string_view text) {
  Json parsed = Json::parse(text, nullptr, false);
  return parsed.is_object() ? parsed : Json::object();
}

bool is_positive_integer(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number_integer() && found->get<std::int64_t>() > 0;
}

}  // namespace

std::string render_request(const ExplainRequest& request) {
  Json out = Json::object();
  out["alert_id"] = request.alert_id;
  out["event_id"] = request.cause;
  out["tenant"] = request.tenant;
  out["requested_at"] = render_rfc3339(request.requested_at);
  out["report"] = parse_object(request.report_json);
  return dump(out);
}

Result<ExplainRequest> parse_request(std::string_view json) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object() || !is_positive_integer(parsed, "alert_id") || !is_positive_integer(parsed, "event_id") ||
      !is_positive_integer(parsed, "tenant") || !parsed.contains("requested_at") || !parsed["requested_at"].is_string() ||
      !parsed.contains("report") || !parsed["report"].is_object()) {
    return make_error(Errc::corrupt, "not a request for an explanation");
  }
  ExplainRequest out;
  out.alert_id = parsed["alert_id"].get<EpisodeId>();
  out.cause = parsed["event_id"].get<EventId>();
  out.tenant = parsed["tenant"].get<TenantId>();
  SENSUS_TRY(out.requested_at, parse_rfc3339(parsed["requested_at"].get_ref<const std::string&>()));
  out.report_json = dump(parsed["report"]);
  return out;
}

std::string render_answer(const ExplainRequest& request, const llm::Prompt& prompt, const llm::Answer& answer) {
  Json out = Json::object();
  out["root_cause"] = answer.explanation.root_cause;
  out["mitigation"] = answer.explanation.mitigation;
  out["analysis"] = answer.explanation.analysis;
  out["confidence"] = answer.explanation.confidence;
  out["machine_made"] = true;
  out["model"] = answer.model;
  out["prompt_tokens"] = answer.prompt_tokens;
  out["prompt_tokens_estimated"] = prompt.estimated_tokens;
  out["prompt_truncated"] = answer.prompt_truncated;
  out["answer_tokens"] = answer.answer_tokens;
  out["total_ms"] = answer.total_ms;
  out["load_ms"] = answer.load_ms;
  // Without the system part: it is the same for all, and holds the mark that tells a leaked prompt.
  out["prompt"] = prompt.user;
  out["evidence"] = parse_object(request.report_json);
  return dump(out);
}

void RequestWindow::note(EventId cause) {
  newest_.insert(cause);
  if (newest_.size() > limit_) {
    newest_.erase(newest_.begin());
  }
}

}  // namespace sensus::analysis
