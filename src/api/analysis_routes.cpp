#include "operation_internal.hpp"

#include "sensus/codec/model_json.hpp"

#include "sensus/core/utf8.hpp"

#include <nlohmann/json.hpp>

#include <limits>

namespace sensus::api {
namespace {

constexpr std::size_t kCommentMax = 4096;

const ParamSpecs& analysis_params() {
  static const ParamSpecs specs = {
      {.name = "alert_id", .kind = ParamKind::integer, .help = "Only analyses of this alert episode.", .example = "1",
       .min = 1, .max = std::numeric_limits<std::int64_t>::max()},
      {.name = "type", .kind = ParamKind::choice, .help = "Only analyses of this type.", .example = "evidence_report",
       .choices = {"anomaly_detection", "evidence_report", "llm_analysis"}},
      from_param("Only analyses made at or after this time."),
      to_param("Only analyses made before this time."),
      limit_param(),
      cursor_param(),
  };
  return specs;
}

const ParamSpecs& anomaly_params() {
  static const ParamSpecs specs = {
      {.name = "metric", .help = "Only anomalies of this metric.", .example = "request_latency_seconds", .max = 255},
      match_param("Matcher on the series' labels; repeat it to require several.", "service=\"checkout\""),
      from_param("Only anomalies observed at or after this time."),
      to_param("Only anomalies observed before this time."),
      {.name = "score_min", .kind = ParamKind::number, .help = "Only anomalies with at least this score.",
       .example = "0.6", .default_text = "0", .min = 0, .max = 1},
      {.name = "tier", .kind = ParamKind::choice, .help = "Only anomalies of this tier: `notable` is evidence, `alerting` few and trusted.",
       .example = "alerting", .choices = {"notable", "alerting"}},
      limit_param(),
      cursor_param(),
  };
  return specs;
}

Result<storage::AnalysisFilter> parse_analysis_filter(const http::Request& request) {
  SENSUS_TRY(const QueryParams query, QueryParams::parse(request, analysis_params()));
  storage::AnalysisFilter filter;
  filter.alert_id = query.integer("alert_id");
  if (const std::string type = query.text("type"); !type.empty()) {
    filter.type = model::parse_analysis_type(type);
  }
  filter.from = query.time("from");
  filter.to = query.time("to");
  filter.limit = limit_of(query);
  filter.after = query.cursor("cursor");
  SENSUS_TRY_VOID(check_range(filter.from, filter.to));
  return filter;
}

Result<storage::AnomalyFilter> parse_anomaly_filter(const http::Request& request) {
  SENSUS_TRY(const QueryParams query, QueryParams::parse(request, anomaly_params()));
  storage::AnomalyFilter filter;
  filter.metric_name = query.text("metric");
  filter.matchers = query.matchers("match");
  filter.from = query.time("from");
  filter.to = query.time("to");
  filter.score_min = query.number("score_min").value_or(0);
  filter.tier = query.text("tier");
  filter.limit = limit_of(query);
  filter.after = query.cursor("cursor");
  SENSUS_TRY_VOID(check_range(filter.from, filter.to));
  return filter;
}

Reply list_analyses(State& state, const http::Request& request) {
  auto filter = parse_analysis_filter(request);
  if (!filter) {
    co_return http::to_response(filter.error());
  }
  auto listing = state.deps.analyses.list(request.deadline, kDefaultTenant, std::move(*filter));
  const auto page = co_await std::move(listing);
  if (!page) {
    co_return http::to_response(page.error());
  }
  co_return reply_page(*page, codec::render_analysis);
}

Reply latest_analysis(State& state, const http::Request& request) {
  const auto query = QueryParams::parse(request, no_params());
  if (!query) {
    co_return http::to_response(query.error());
  }
  auto finding = state.deps.analyses.latest(request.deadline, kDefaultTenant);
  const auto analysis = co_await std::move(finding);
  if (!analysis) {
    co_return http::to_response(analysis.error());
  }
  co_return reply_json(200, codec::render_analysis(*analysis));
}

Reply list_anomalies(State& state, const http::Request& request) {
  auto filter = parse_anomaly_filter(request);
  if (!filter) {
    co_return http::to_response(filter.error());
  }
  auto listing = state.deps.analyses.anomalies(request.deadline, kDefaultTenant, std::move(*filter));
  const auto page = co_await std::move(listing);
  if (!page) {
    co_return http::to_response(page.error());
  }
  co_return reply_page(*page, codec::render_anomaly);
}

struct FeedbackBody {
  std::string verdict;
  std::string comment;
};

Result<FeedbackBody> parse_feedback(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object()) {
    return make_error(Errc::invalid_input, "the body must be a JSON object with `verdict`");
  }
  FeedbackBody out;
  for (const auto& [name, value] : json.items()) {
    if ((name != "verdict" && name != "comment") || !value.is_string()) {
      return make_error(Errc::invalid_input, "`verdict` and `comment`, both text, are what feedback may hold", name);
    }
    (name == "verdict" ? out.verdict : out.comment) = value.get<std::string>();
  }
  if (out.verdict != "useful" && out.verdict != "noise" && out.verdict != "expected") {
    return make_error(Errc::invalid_input, "verdict must be useful, noise or expected", "verdict");
  }
  if (out.comment.size() > kCommentMax || !is_utf8(out.comment) || out.comment.find('\0') != std::string::npos) {
    return make_error(Errc::invalid_input, "comment must be at most 4096 bytes of UTF-8 without NUL", "comment");
  }
  return out;
}

Reply post_feedback(State& state, const http::Request& request) {
  const auto id = id_of(request);
  if (!id) {
    co_return http::to_response(id.error());
  }
  auto body = parse_feedback(request.body);
  if (!body) {
    co_return http::to_response(body.error());
  }
  auto adding = state.deps.feedback.add(request.deadline, kDefaultTenant, *id, std::move(body->verdict), std::move(body->comment));
  const auto added = co_await std::move(adding);
  if (!added) {
    co_return http::to_response(added.error());
  }
  state.deps.wake_models();
  co_return reply_json(202, "{\"id\":" + std::to_string(added->id) + ",\"anomaly_id\":" + std::to_string(added->anomaly) +
                                ",\"series_id\":" + std::to_string(added->series) + ",\"verdict\":" +
                                codec::quote_json(added->verdict) + "}");
}

}  // namespace

Operations analysis_operations() {
  return {
      {.pattern = "/api/v1/analysis",
       .handler = list_analyses,
       .id = "listAnalyses",
       .tag = "analysis",
       .summary = "List analyses, newest first",
       .params = &analysis_params(),
       .problems = {400, 406, 503},
       .responses = {{200, "A page of analyses.", kJson, "AnalysisPage"}}},
      {.pattern = "/api/v1/analysis/latest",
       .handler = latest_analysis,
       .id = "latestAnalysis",
       .tag = "analysis",
       .summary = "The newest root-cause analysis",
       .description = "An `evidence_report` or an `llm_analysis`, whichever was made last; 404 while there is none.",
       .params = &no_params(),
       .problems = {400, 404, 406, 503},
       .responses = {{200, "The analysis.", kJson, "Analysis"}}},
      {.pattern = "/api/v1/anomalies",
       .handler = list_anomalies,
       .id = "listAnomalies",
       .tag = "analysis",
       .summary = "List anomalous steps of series, newest first",
       .params = &anomaly_params(),
       .problems = {400, 406, 503},
       .responses = {{200, "A page of anomalies.", kJson, "AnomalyPage"}}},
      {.method = http::Method::post,
       .pattern = "/api/v1/anomalies/{id}/feedback",
       .handler = post_feedback,
       .id = "postFeedback",
       .tag = "analysis",
       .summary = "Say what an anomaly was worth",
       .description = "The detector of the series learns it within seconds and keeps it over restarts: `useful` lowers its thresholds a "
                      "little, `noise` raises them, `expected` raises them above what was seen, so that the same again stays quiet.",
       .body_schema = "FeedbackBody",
       .body_examples = {"feedback"},
       .problems = {400, 404, 406, 413, 415, 503},
       .responses = {{202, "Kept.", kJson, "FeedbackAccepted"}}},
  };
}

}  // namespace sensus::api
