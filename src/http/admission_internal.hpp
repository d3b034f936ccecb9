#pragma once

#include "framing_guard_internal.hpp"

#include "sensus/http/router.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sensus::http {

/// What is decided from a request's head alone, before a byte of its body is read.
struct Admission {
  const Route* route = nullptr;      ///< Also set with a refusal once the route is known: metric label.
  std::optional<Response> refusal;
  std::string_view reason = {};      ///< Metric label of refusals that count as such ("target", "body_too_large").
  bool expects_continue = false;
};

/// Fills path, query, path_params, route and deadline-independent parts of `request` from `target`. Order of checks: target (400),
/// route (404, 405), Content-Encoding and Content-Type (415), length (413), Accept (406), Expect (417).
[[nodiscard]] Admission admit(const Router& router, const HeadFacts& facts, const std::string& target, Request& request);

[[nodiscard]] Response body_too_large(const Route& route);

}  // namespace sensus::http
