#include "operation_internal.hpp"

#include "sensus/codec/model_json.hpp"

namespace sensus::api {
namespace {

/// Analyses shown with an alert; older ones are on /api/v1/analysis?alert_id=.
constexpr std::size_t kAnalysesMax = 100;

const ParamSpecs& alert_params() {
  static const ParamSpecs specs = {
      {.name = "status", .kind = ParamKind::choice, .help = "Only alerts in this state.", .example = "firing",
       .choices = {"firing", "resolved"}},
      {.name = "severity", .help = "Only alerts with this severity.", .example = "critical", .max = 256},
      {.name = "alertname", .help = "Only alerts with this name.", .example = "HighLatency", .max = 1024},
      match_param("Label matcher; repeat it to require several.", "service=\"checkout\""),
      from_param("Only episodes that were firing at or after this time."),
      to_param("Only episodes that began before this time."),
      limit_param(),
      cursor_param(),
  };
  return specs;
}

Result<storage::AlertFilter> parse_filter(const http::Request& request) {
  SENSUS_TRY(const QueryParams query, QueryParams::parse(request, alert_params()));
  storage::AlertFilter filter;
  if (const std::string status = query.text("status"); !status.empty()) {
    filter.status = status == "firing" ? model::AlertStatus::firing : model::AlertStatus::resolved;
  }
  filter.severity = query.text("severity");
  filter.alert_name = query.text("alertname");
  filter.matchers = query.matchers("match");
  filter.from = query.time("from");
  filter.to = query.time("to");
  filter.limit = limit_of(query);
  filter.after = query.cursor("cursor");
  SENSUS_TRY_VOID(check_range(filter.from, filter.to));
  return filter;
}

Reply list_alerts(State& state, const http::Request& request) {
  auto filter = parse_filter(request);
  if (!filter) {
    co_return http::to_response(filter.error());
  }
  auto listing = state.deps.alerts.list(request.deadline, kDefaultTenant, std::move(*filter));
  const auto page = co_await std::move(listing);
  if (!page) {
    co_return http::to_response(page.error());
  }
  co_return reply_page(*page, codec::render_episode);
}

/// The newest analysis of a type as JSON, or null. `analyses` runs from newest to oldest.
std::string render_newest(const std::vector<model::Analysis>& analyses, model::AnalysisType type) {
  for (const model::Analysis& analysis : analyses) {
    if (analysis.type == type) {
      return codec::render_analysis(analysis);
    }
  }
  return "null";
}

std::string render_detail(const model::Episode& episode, const std::vector<model::Analysis>& analyses) {
  std::string body = codec::render_episode(episode);
  body.pop_back();  // The closing brace: the analyses become members of the same object.
  body += ",\"llm_analysis\":" + render_newest(analyses, model::AnalysisType::llm_analysis);
  body += ",\"evidence_report\":" + render_newest(analyses, model::AnalysisType::evidence_report);
  body += ",\"analyses\":[";
  for (const model::Analysis& analysis : analyses) {
    if (body.back() != '[') {
      body += ',';
    }
    body += codec::render_analysis(analysis);
  }
  body += "]}";
  return body;
}

Reply get_alert(State& state, const http::Request& request) {
  const auto query = QueryParams::parse(request, no_params());
  if (!query) {
    co_return http::to_response(query.error());
  }
  const auto id = id_of(request);
  if (!id) {
    co_return http::to_response(id.error());
  }
  auto finding = state.deps.alerts.get(request.deadline, kDefaultTenant, *id);
  const auto episode = co_await std::move(finding);
  if (!episode) {
    co_return http::to_response(episode.error());
  }
  storage::AnalysisFilter filter;
  filter.alert_id = *id;
  filter.limit = kAnalysesMax;
  auto listing = state.deps.analyses.list(request.deadline, kDefaultTenant, std::move(filter));
  const auto analyses = co_await std::move(listing);
  if (!analyses) {
    co_return http::to_response(analyses.error());
  }
  co_return reply_json(200, render_detail(*episode, analyses->items));
}

}  // namespace

Operations alert_operations() {
  return {
      {.pattern = "/api/v1/alerts",
       .handler = list_alerts,
       .id = "listAlerts",
       .tag = "alerts",
       .summary = "List alert episodes, newest start first",
       .description = "An episode is one stretch of one label set from firing to resolved.",
       .params = &alert_params(),
       .problems = {400, 406, 503},
       .responses = {{200, "A page of episodes.", kJson, "AlertPage"}}},
      {.pattern = "/api/v1/alerts/{id}",
       .handler = get_alert,
       .id = "getAlert",
       .tag = "alerts",
       .summary = "One alert episode with its analyses",
       .description = "`llm_analysis` and `evidence_report` are the newest of their type, null while there is none; `analyses` lists "
                      "all, newest first (the newest 100; the rest is on /api/v1/analysis?alert_id=).",
       .params = &no_params(),
       .problems = {400, 404, 406, 503},
       .responses = {{200, "The episode.", kJson, "AlertDetail"}}},
  };
}

}  // namespace sensus::api
