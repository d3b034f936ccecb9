#include "sensus/http/message.hpp"

#include "accept_internal.hpp"
#include "json_text_internal.hpp"

#include <algorithm>

namespace sensus::http {

std::string_view to_string(Method method) {
  switch (method) {
    case Method::get: return "GET";
    case Method::head: return "HEAD";
    case Method::post: return "POST";
    case Method::put: return "PUT";
    case Method::patch: return "PATCH";
    case Method::del: return "DELETE";
    case Method::options: return "OPTIONS";
    case Method::other: return "other";
  }
  return "other";
}

void Headers::add(std::string name, std::string value) { pairs_.emplace_back(std::move(name), std::move(value)); }

void Headers::set(std::string_view name, std::string value) {
  for (auto& [known, old] : pairs_) {
    if (iequals(known, name)) {
      old = std::move(value);
      return;
    }
  }
  pairs_.emplace_back(std::string(name), std::move(value));
}

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [known, value] : pairs_) {
    if (iequals(known, name)) {
      return value;
    }
  }
  return {};
}

bool Headers::contains(std::string_view name) const {
  return std::any_of(pairs_.begin(), pairs_.end(), [name](const auto& pair) { return iequals(pair.first, name); });
}

std::string Headers::get_joined(std::string_view name) const {
  std::string joined;
  for (const auto& [known, value] : pairs_) {
    if (!iequals(known, name)) {
      continue;
    }
    if (!joined.empty()) {
      joined += ", ";
    }
    joined += value;
  }
  return joined;
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
  for (const auto& [known, value] : query) {
    if (known == name) {
      return value;
    }
  }
  return std::nullopt;
}

std::vector<std::string_view> Request::query_values(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [known, value] : query) {
    if (known == name) {
      values.emplace_back(value);
    }
  }
  return values;
}

std::string_view Request::path_param(std::string_view name) const {
  for (const auto& [known, value] : path_params) {
    if (known == name) {
      return value;
    }
  }
  return {};
}

Response Response::json(int status, std::string body) {
  Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

Response Response::text(int status, std::string body) {
  Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

Response Response::empty(int status) {
  Response response;
  response.status = status;
  return response;
}

Response Response::problem(int status, std::string_view code, std::string_view title, std::string_view detail,
                           std::string_view field) {
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  std::string& body = response.body;
  body = R"({"type":"about:blank","title":)";
  append_json_text(title, body);
  body += R"(,"status":)";
  body += std::to_string(status);
  body += R"(,"detail":)";
  append_json_text(detail, body);
  body += R"(,"code":)";
  append_json_text(code, body);
  if (!field.empty()) {
    body += R"(,"field":)";
    append_json_text(field, body);
  }
  body += '}';
  return response;
}

Response to_response(const Error& error) {
  const ErrcTraits& traits = traits_of(error.code);
  // A bug's or a corruption's message may hold internals; it belongs in the log.
  const bool internal = error.code == Errc::internal || error.code == Errc::corrupt;
  const std::string_view detail =
      internal ? std::string_view("The request failed inside the daemon; its log has the reason under the request id.")
               : std::string_view(error.message);
  Response response = Response::problem(traits.http_status, traits.name, traits.title, detail, error.field);
  if (traits.http_status == 503) {
    response.headers.add("Retry-After", "1");
  }
  return response;
}

}  // namespace sensus::http
