#include "assets_internal.hpp"
#include "operation_internal.hpp"

#include "sensus/codec/model_json.hpp"

#include <array>

namespace sensus::api {
namespace {

/// Nothing from elsewhere, nothing inline: the page is what was compiled in.
constexpr std::string_view kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

http::Response asset_reply(std::string_view content_type, std::string_view content) {
  http::Response response;
  response.status = 200;
  response.content_type = std::string(content_type);
  response.body = std::string(content);
  response.headers.set("Content-Security-Policy", std::string(kPagePolicy));
  response.headers.set("Cache-Control", "no-cache");
  return response;
}

Reply openapi_json(State& state, const http::Request& /*request*/) {
  http::Response response = http::Response::json(200, state.openapi);
  response.headers.set("Cache-Control", "no-cache");
  co_return response;
}

Reply docs_page(State& /*state*/, const http::Request& /*request*/) {
  co_return asset_reply("text/html; charset=utf-8", assets::docs_html());
}

Reply docs_asset(State& /*state*/, const http::Request& request) {
  const std::string_view name = request.path_param("asset");
  if (name == "page.js") {
    co_return asset_reply("text/javascript; charset=utf-8", assets::docs_js());
  }
  if (name == "page.css") {
    co_return asset_reply("text/css; charset=utf-8", assets::docs_css());
  }
  co_return http::to_response(make_error(Errc::not_found, "there is no such file: /docs uses page.js and page.css"));
}

Reply index_json(State& state, const http::Request& /*request*/) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kLinks{{
      {"documentation", "/docs"},
      {"openapi", "/openapi.json"},
      {"alerts", "/api/v1/alerts"},
      {"latest_analysis", "/api/v1/analysis/latest"},
      {"anomalies", "/api/v1/anomalies"},
      {"events", "/api/v1/events"},
      {"ready", "/healthz/ready"},
      {"metrics", "/metrics"},
  }};
  std::string body = "{\"name\":\"sensus\",\"version\":" + codec::quote_json(state.deps.version) + ",\"links\":{";
  for (const auto& [name, path] : kLinks) {
    body += body.back() == '{' ? "" : ",";
    body += codec::quote_json(name) + ":" + codec::quote_json(path);
  }
  co_return reply_json(200, body + "}}");
}

}  // namespace

Operations docs_operations() {
  return {
      {.pattern = "/",
       .handler = index_json,
       .id = "index",
       .tag = "docs",
       .summary = "Where to look",
       .responses = {{200, "Addresses worth knowing.", kJson, "Index"}}},
      {.pattern = "/openapi.json",
       .handler = openapi_json,
       .id = "openapi",
       .tag = "docs",
       .summary = "This document",
       .responses = {{200, "OpenAPI 3.1.", kJson, "OpenApi"}}},
      {.pattern = "/docs",
       .handler = docs_page,
       .id = "docs",
       .tag = "docs",
       .summary = "This document as a page",
       .responses = {{200, "A page that loads nothing from elsewhere.", "text/html; charset=utf-8", "Html"}}},
      {.pattern = "/docs/{asset}",
       .handler = docs_asset,
       .id = "docsAsset",
       .tag = "docs",
       .summary = "Script and style of the page",
       .problems = {404},
       .responses = {{200, "page.js or page.css.", "text/javascript; charset=utf-8", "Text"},
                     {200, "page.js or page.css.", "text/css; charset=utf-8", "Text"}}},
  };
}

}  // namespace sensus::api
