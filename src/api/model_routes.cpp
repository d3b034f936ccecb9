#include "operation_internal.hpp"

#include "sensus/codec/model_json.hpp"

namespace sensus::api {
namespace {

const ParamSpecs& page_params() {
  static const ParamSpecs specs = {limit_param(), cursor_param()};
  return specs;
}

const ParamSpecs& train_params() {
  static const ParamSpecs specs = {
      {.name = "kind", .kind = ParamKind::choice,
       .help = "`train` measures detectors of these parameters on stored samples and keeps them as a new version. `retrain` has the detectors "
               "in use relearn, as the schedule does at night. `evaluate` measures the active version.",
       .example = "train", .default_text = "train", .choices = {"train", "retrain", "evaluate"}},
      {.name = "profile", .kind = ParamKind::choice, .help = "Of the new version; else that of the configuration.", .example = "compact",
       .choices = {"compact", "standard", "thorough"}},
      {.name = "warmup", .kind = ParamKind::integer, .help = "Of the new version: steps before the first score.", .example = "120",
       .min = 20, .max = 10'000},
      {.name = "false_alerts_per_week", .kind = ParamKind::number,
       .help = "Of the new version: false alerts of a series in a week that the alerting tier aims at.", .example = "0.1", .min = 0,
       .max = 10},
      {.name = "activate", .kind = ParamKind::choice, .help = "Whether the new version is put in use at once.", .example = "false",
       .default_text = "false", .choices = {"true", "false"}},
  };
  return specs;
}

void append_member(std::string& json, std::string_view name, const std::string& value) {
  json.append(json.size() == 1 ? "\"" : ",\"").append(name).append("\":").append(value);
}

/// The query as the job's parameters; what is absent is absent.
std::string render_train_parameters(const QueryParams& query) {
  std::string json = "{";
  if (const std::string profile = query.text("profile"); !profile.empty()) {
    append_member(json, "profile", codec::quote_json(profile));
  }
  if (const auto warmup = query.integer("warmup")) {
    append_member(json, "warmup", std::to_string(*warmup));
  }
  if (const auto rate = query.number("false_alerts_per_week")) {
    append_member(json, "false_alerts_per_week", std::to_string(*rate));
  }
  append_member(json, "activate", query.text("activate") == "true" ? "true" : "false");
  return json + "}";
}

Result<storage::NewJob> parse_train(const http::Request& request) {
  SENSUS_TRY(const QueryParams query, QueryParams::parse(request, train_params()));
  const std::string kind = query.text("kind");
  storage::NewJob job;
  job.kind = kind.empty() ? model::JobKind::train : model::parse_job_kind(kind).value();
  if (job.kind == model::JobKind::train) {
    job.parameters_json = render_train_parameters(query);
  }
  return job;
}

Reply list_models(State& state, const http::Request& request) {
  const auto query = QueryParams::parse(request, page_params());
  if (!query) {
    co_return http::to_response(query.error());
  }
  auto listing = state.deps.models.list(request.deadline, kDefaultTenant, limit_of(*query), query->cursor("cursor"));
  const auto page = co_await std::move(listing);
  if (!page) {
    co_return http::to_response(page.error());
  }
  co_return reply_page(*page, codec::render_model_version);
}

Reply train_model(State& state, const http::Request& request) {
  auto job = parse_train(request);
  if (!job) {
    co_return http::to_response(job.error());
  }
  auto creating = state.deps.jobs.create(request.deadline, kDefaultTenant, std::move(*job));
  const auto created = co_await std::move(creating);
  if (!created) {
    co_return http::to_response(created.error());
  }
  state.deps.wake_jobs();
  http::Response response = reply_json(202, codec::render_job(*created));
  response.headers.set("Location", "/api/v1/jobs/" + std::to_string(created->id));
  co_return response;
}

Reply activate_model(State& state, const http::Request& request) {
  const auto id = id_of(request);
  if (!id) {
    co_return http::to_response(id.error());
  }
  const auto query = QueryParams::parse(request, no_params());
  if (!query) {
    co_return http::to_response(query.error());
  }
  auto activating = state.deps.models.activate(request.deadline, kDefaultTenant, *id);
  const auto version = co_await std::move(activating);
  if (!version) {
    co_return http::to_response(version.error());
  }
  state.deps.wake_models();
  state.deps.log.info("a version of the anomaly model was activated by hand",
                      {{"version", version->version}, {"peer", request.peer}, {"request_id", request.id}});
  co_return reply_json(200, codec::render_model_version(*version));
}

Reply list_jobs(State& state, const http::Request& request) {
  const auto query = QueryParams::parse(request, page_params());
  if (!query) {
    co_return http::to_response(query.error());
  }
  auto listing = state.deps.jobs.list(request.deadline, kDefaultTenant, limit_of(*query), query->cursor("cursor"));
  const auto page = co_await std::move(listing);
  if (!page) {
    co_return http::to_response(page.error());
  }
  co_return reply_page(*page, codec::render_job);
}

Reply get_job(State& state, const http::Request& request) {
  const auto id = id_of(request);
  if (!id) {
    co_return http::to_response(id.error());
  }
  const auto query = QueryParams::parse(request, no_params());
  if (!query) {
    co_return http::to_response(query.error());
  }
  auto finding = state.deps.jobs.get(request.deadline, kDefaultTenant, *id);
  const auto job = co_await std::move(finding);
  if (!job) {
    co_return http::to_response(job.error());
  }
  co_return reply_json(200, codec::render_job(*job));
}

}  // namespace

Operations model_operations() {
  return {
      {.pattern = "/api/v1/models",
       .handler = list_models,
       .id = "listModels",
       .tag = "analysis",
       .summary = "List model versions, newest first",
       .params = &page_params(),
       .problems = {400, 406, 503},
       .responses = {{200, "A page of model versions.", kJson, "ModelPage"}}},
      {.method = http::Method::post,
       .pattern = "/api/v1/models/train",
       .handler = train_model,
       .id = "trainModel",
       .tag = "analysis",
       .summary = "Train, retrain or evaluate in the background",
       .description = "Makes a job; follow it by its Location or on the live feed (`job` events). One job runs at a time. 503 when enough wait.",
       .params = &train_params(),
       .problems = {400, 406, 503},
       .responses = {{202, "The job that was made.", kJson, "Job"}}},
      {.method = http::Method::post,
       .pattern = "/api/v1/models/{id}/activate",
       .handler = activate_model,
       .id = "activateModel",
       .tag = "analysis",
       .summary = "Put a version in use",
       .description = "Also rolls back: detectors go on from the states that are kept of its profile, or learn from stored samples. Takes "
                      "effect within seconds, and lasts until another is activated: the configuration does not replace it.",
       .params = &no_params(),
       .problems = {400, 404, 406, 500, 503},
       .responses = {{200, "The version, active.", kJson, "ModelVersion"}}},
      {.pattern = "/api/v1/jobs",
       .handler = list_jobs,
       .id = "listJobs",
       .tag = "analysis",
       .summary = "List jobs, newest first",
       .params = &page_params(),
       .problems = {400, 406, 503},
       .responses = {{200, "A page of jobs.", kJson, "JobPage"}}},
      {.pattern = "/api/v1/jobs/{id}",
       .handler = get_job,
       .id = "getJob",
       .tag = "analysis",
       .summary = "One job",
       .params = &no_params(),
       .problems = {400, 404, 406, 503},
       .responses = {{200, "The job.", kJson, "Job"}}},
  };
}

}  // namespace sensus::api
