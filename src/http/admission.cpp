#include "admission_internal.hpp"

#include "accept_internal.hpp"
#include "target_internal.hpp"

#include <algorithm>

namespace sensus::http {
namespace {

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += text.empty() ? "" : ", ";
    text += name;
  }
  return text;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::any_of(names.begin(), names.end(),
                     [name](const std::string& known) { return iequals(known, name); });
}

Response method_not_allowed(std::string allow) {
  Response response = Response::problem(405, "method_not_allowed", "Method not allowed",
                                        "This path answers " + allow + ".");
  response.headers.add("Allow", std::move(allow));
  return response;
}

std::optional<Response> check_media_type(const Route& route, const HeadFacts& facts, const Request& request) {
  if (facts.has_content_encoding) {
    const std::string coding = request.headers.get_joined("Content-Encoding");
    if (!coding.empty() && !iequals(coding, "identity") && !contains(route.content_encodings, coding)) {
      return Response::problem(415, "unsupported", "Unsupported content encoding",
                               route.content_encodings.empty()
                                   ? "Send the body without a Content-Encoding."
                                   : "The Content-Encoding of this path is " + join(route.content_encodings) + ".");
    }
  }
  // A body without a Content-Type is taken for what the route expects.
  if (!facts.has_content_type || route.content_types.empty()) {
    return std::nullopt;
  }
  const std::string_view type = media_type_of(request.headers.get("Content-Type"));
  if (contains(route.content_types, type)) {
    return std::nullopt;
  }
  return Response::problem(415, "unsupported", "Unsupported media type",
                           "Send the body as " + join(route.content_types) + ".");
}

std::optional<Response> check_accept(const Route& route, const HeadFacts& facts, const Request& request) {
  if (!facts.has_accept || route.produces.empty()) {
    return std::nullopt;
  }
  if (accept_allows(request.headers.get_joined("Accept"), route.produces)) {
    return std::nullopt;
  }
  return Response::problem(406, "not_acceptable", "Not acceptable",
                           "This path answers with " + join(route.produces) + ", which the Accept header excludes.");
}

void check_head(const HeadFacts& facts, const Request& request, Admission& admission) {
  const Route& route = *admission.route;
  if (facts.has_body()) {
    if (auto refusal = check_media_type(route, facts, request)) {
      admission.refusal = std::move(refusal);
      return;
    }
    if (facts.content_length.value_or(0) > route.body_limit) {
      admission.refusal = body_too_large(route);
      admission.reason = "body_too_large";
      return;
    }
  }
  if (auto refusal = check_accept(route, facts, request)) {
    admission.refusal = std::move(refusal);
    return;
  }
  // HTTP/1.0 knows no Expect (RFC 9110 10.1.1).
  if (!facts.has_expect || !facts.http11) {
    return;
  }
  if (!iequals(trim(request.headers.get_joined("Expect")), "100-continue")) {
    admission.refusal = Response::problem(417, "expectation_failed", "Expectation failed",
                                          "The only Expect answered here is 100-continue.");
    return;
  }
  admission.expects_continue = true;
}

}  // namespace

Response body_too_large(const Route& route) {
  return Response::problem(413, "too_large", "Too large",
                           "The body is larger than the " + std::to_string(route.body_limit) +
                               " bytes this path takes; send it in parts.");
}

Admission admit(const Router& router, const HeadFacts& facts, const std::string& target, Request& request) {
  Admission admission;
  const std::string_view wrong = parse_target(target, request.path, request.query);
  if (!wrong.empty()) {
    if (request.method == Method::other) {
      admission.refusal = method_not_allowed("GET, HEAD, POST");
      return admission;
    }
    admission.refusal = Response::problem(400, "invalid_input", "Bad request", wrong);
    admission.reason = "target";
    return admission;
  }
  auto found = router.find(request.method, request.path);
  if (auto* refused = std::get_if<Router::MethodNotAllowed>(&found)) {
    admission.refusal = method_not_allowed(std::move(refused->allow));
    return admission;
  }
  if (std::holds_alternative<Router::NotFound>(found)) {
    admission.refusal = request.method == Method::other
                            ? method_not_allowed("GET, HEAD, POST")
                            : Response::problem(404, "not_found", "Not found", "There is nothing at this path.");
    return admission;
  }
  auto& match = std::get<Router::Match>(found);
  admission.route = match.route;
  request.route = match.route->pattern;
  request.path_params = std::move(match.path_params);
  check_head(facts, request, admission);
  return admission;
}

}  // namespace sensus::http
