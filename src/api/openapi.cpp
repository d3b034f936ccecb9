#include "assets_internal.hpp"
#include "operation_internal.hpp"

#include "sensus/core/assert.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>

namespace sensus::api {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kDescription =
    "Sensus receives metrics and alerts, keeps them in PostgreSQL, finds anomalies and explains alerts.\n\n"
    "Errors are RFC 9457 problems: `code` is stable, `field` names the offending input, the header X-Request-Id finds the log line. "
    "Lists are pages: pass `next_cursor` as `cursor` until it is null. Unknown query parameters are refused, except on ingest and "
    "operation routes, which ignore the query. Times are RFC 3339 in UTC. A 503 always carries Retry-After; repeating an ingest "
    "request is harmless.";

struct ProblemDoc {
  int status;
  std::string_view name;
  std::string_view description;
};
constexpr ProblemDoc kProblems[] = {
    {400, "BadRequest", "The input is wrong; `field` names the place, `detail` says what is allowed."},
    {403, "Forbidden", "Not allowed by the configuration."},
    {404, "NotFound", "There is no such thing."},
    {406, "NotAcceptable", "Accept allows none of the formats of this route."},
    {413, "TooLarge", "The body is over the limit of this route."},
    {415, "UnsupportedMediaType", "The content type or the encoding of the body is not spoken here; `detail` names what is."},
    {500, "InternalError", "A failure on this side."},
    {503, "Unavailable", "Overloaded, or PostgreSQL is away or slow. Send the same request again after Retry-After."},
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

Json schema_ref(std::string_view name) { return {{"$ref", "#/components/schemas/" + std::string(name)}}; }

Json value_schema(const ParamSpec& spec) {
  switch (spec.kind) {
    case ParamKind::text:
      return {{"type", "string"}, {"minLength", 1}, {"maxLength", spec.max}};
    case ParamKind::choice:
      return {{"type", "string"}, {"enum", spec.choices}};
    case ParamKind::integer:
      return {{"type", "integer"}, {"format", "int64"}, {"minimum", spec.min}, {"maximum", spec.max}};
    case ParamKind::number:
      return {{"type", "number"}, {"minimum", spec.min}, {"maximum", spec.max}};
    case ParamKind::time:
      return schema_ref("TimeParam");
    case ParamKind::duration:
      return schema_ref("DurationParam");
    case ParamKind::matcher:
      return schema_ref("Matcher");
    case ParamKind::series_matcher:
      return schema_ref("SeriesMatcher");
    case ParamKind::selector:
      return schema_ref("Selector");
    case ParamKind::cursor:
      return schema_ref("Cursor");
  }
  return Json::object();
}

Json example_value(const ParamSpec& spec) {
  if (spec.kind == ParamKind::integer || spec.kind == ParamKind::number) {
    return Json::parse(spec.example);
  }
  return spec.repeated ? Json::array({spec.example}) : Json(spec.example);
}

Json render_param(const ParamSpec& spec, std::string_view name, std::string help) {
  Json out = {{"name", name}, {"in", "query"}, {"required", spec.required && name == spec.name},
              {"description", std::move(help)}};
  if (spec.repeated) {
    out["style"] = "form";
    out["explode"] = true;
    out["schema"] = {{"type", "array"}, {"items", value_schema(spec)}};
  } else {
    out["schema"] = value_schema(spec);
  }
  if (!spec.example.empty()) {
    out["example"] = example_value(spec);
  }
  return out;
}

Json render_query_params(const ParamSpecs& specs) {
  Json out = Json::array();
  for (const ParamSpec& spec : specs) {
    std::string help(spec.help);
    if (!spec.default_text.empty()) {
      help += " Default: " + std::string(spec.default_text) + ".";
    }
    out.push_back(render_param(spec, spec.name, std::move(help)));
    if (!spec.alias.empty()) {
      out.push_back(render_param(spec, spec.alias, "Another name for `" + std::string(spec.name) + "`."));
    }
  }
  return out;
}

/// `{id}` and its like.
void append_path_params(std::string_view pattern, Json& params) {
  for (auto open = pattern.find('{'); open != std::string_view::npos; open = pattern.find('{', open + 1)) {
    const std::string name(pattern.substr(open + 1, pattern.find('}', open) - open - 1));
    Json schema = {{"type", "string"}, {"enum", Json::array({"page.js", "page.css"})}};
    Json example = "page.js";
    if (name == "id") {
      schema = {{"type", "integer"}, {"format", "int64"}, {"minimum", 1}};
      example = 1;
    }
    params.push_back(
        {{"name", name}, {"in", "path"}, {"required", true}, {"schema", schema}, {"example", example}});
  }
}

Json render_body(const Operation& operation) {
  Json examples = Json::object();
  for (const std::string_view name : operation.body_examples) {
    examples[std::string(name)] = {{"$ref", "#/components/examples/" + std::string(name)}};
  }
  Json media = {{"schema", schema_ref(operation.body_schema)}};
  if (!examples.empty()) {
    media["examples"] = std::move(examples);
  }
  Json content = {{std::string(operation.body_type), std::move(media)}};
  if (!operation.protobuf_schema.empty()) {
    content[std::string(kProtobuf)] = {{"schema", schema_ref(operation.protobuf_schema)}};
  }
  return {{"required", true}, {"content", std::move(content)}};
}

std::string_view problem_name(int status) {
  const auto* found = std::find_if(std::begin(kProblems), std::end(kProblems),
                                   [status](const ProblemDoc& doc) { return doc.status == status; });
  SENSUS_ASSERT(found != std::end(kProblems));
  return found->name;
}

Json render_responses(const Operation& operation) {
  Json out = Json::object();
  for (const ResponseDoc& doc : operation.responses) {
    Json& response = out[std::to_string(doc.status)];
    response["description"] = doc.description;
    if (doc.content_type.empty()) {
      continue;
    }
    response["content"][std::string(doc.content_type)] = {{"schema", schema_ref(doc.schema)}};
  }
  for (const int status : operation.problems) {
    out[std::to_string(status)] = {{"$ref", "#/components/responses/" + std::string(problem_name(status))}};
  }
  out["default"] = {{"$ref", "#/components/responses/AnyProblem"}};
  return out;
}

Json render_operation(const Operation& operation) {
  Json out = {{"operationId", operation.id}, {"tags", Json::array({operation.tag})}, {"summary", operation.summary}};
  if (!operation.description.empty()) {
    out["description"] = operation.description;
  }
  Json params = Json::array();
  append_path_params(operation.pattern, params);
  if (operation.params != nullptr) {
    const Json query = render_query_params(*operation.params);
    params.insert(params.end(), query.begin(), query.end());
  }
  if (!params.empty()) {
    out["parameters"] = std::move(params);
  }
  if (!operation.body_schema.empty()) {
    out["requestBody"] = render_body(operation);
  }
  out["responses"] = render_responses(operation);
  return out;
}

Json problem_response(std::string_view description) {
  return {{"description", description},
          {"content", {{std::string(kProblemJson), {{"schema", schema_ref("Problem")}}}}}};
}

Json render_components() {
  Json components = Json::parse(assets::components_json());
  Json& responses = components["responses"];
  for (const ProblemDoc& doc : kProblems) {
    Json response = problem_response(doc.description);
    if (doc.status == 503) {
      response["headers"]["Retry-After"] = {{"description", "Seconds."}, {"required", true},
                                            {"schema", {{"type", "integer"}, {"minimum", 1}}}};
    }
    responses[std::string(doc.name)] = std::move(response);
  }
  responses["AnyProblem"] = problem_response(
      "Any other refusal: 405 with Allow, 408 for a request that came too slowly, 431 for too large a header, 500.");
  return components;
}

Json render_tags() {
  return Json::array({
      {{"name", "ingest"}, {"description", "What senders post. 2xx means committed."}},
      {{"name", "alerts"}, {"description", "Alert episodes and what explains them."}},
      {{"name", "analysis"}, {"description", "Anomalies, root causes and the models behind them."}},
      {{"name", "series"}, {"description", "Stored series and their samples."}},
      {{"name", "events"}, {"description", "What happens, as it happens."}},
      {{"name", "operate"}, {"description", "Probes, own metrics, reload."}},
      {{"name", "docs"}, {"description", "This document."}},
  });
}

/// The operation behind a route, or null when the route is not one of the API's.
const Operation* find_operation(http::Method method, std::string_view pattern) {
  const Operations& all = all_operations();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Operation& operation) {
    return operation.method == method && operation.pattern == pattern;
  });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

std::string render_openapi(const http::Router& router, const std::string& version) {
  Json paths = Json::object();
  for (const http::Route& route : router.routes()) {
    if (const Operation* operation = find_operation(route.method, route.pattern)) {
      paths[route.pattern][lower(http::to_string(route.method))] = render_operation(*operation);
    }
  }
  const Json document = {
      {"openapi", "3.1.0"},
      {"info", {{"title", "Sensus"}, {"version", version}, {"description", kDescription},
                {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
      {"servers", Json::array({{{"url", "/"}}})},
      {"tags", render_tags()},
      {"paths", std::move(paths)},
      {"components", render_components()},
  };
  return document.dump();
}

}  // namespace sensus::api
