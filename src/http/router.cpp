#include "sensus/http/router.hpp"

#include "sensus/core/assert.hpp"

#include <algorithm>
#include <array>

namespace sensus::http {
namespace {

bool is_param(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

std::string_view next_segment(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return segment;
}

/// "/a/{id}/b" -> "a", "{id}", "b".
std::vector<std::string> split(std::string_view pattern) {
  std::vector<std::string> segments;
  std::string_view rest = pattern.substr(1);
  while (!rest.empty()) {
    segments.emplace_back(next_segment(rest));
  }
  return segments;
}

/// An exact segment sorts before a parameter at the first place where two patterns differ in kind.
bool more_specific(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  const std::size_t common = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (is_param(a[i]) != is_param(b[i])) {
      return is_param(b[i]);
    }
  }
  return a.size() > b.size();
}

using Params = std::vector<std::pair<std::string, std::string>>;

bool match(const std::vector<std::string>& segments, std::string_view path, Params& params) {
  params.clear();
  if (path.empty() || path.ends_with('/')) {
    return false;
  }
  std::string_view rest = path.substr(1);
  for (const std::string& segment : segments) {
    const std::string_view given = next_segment(rest);
    if (given.empty()) {
      return false;
    }
    if (is_param(segment)) {
      params.emplace_back(segment.substr(1, segment.size() - 2), std::string(given));
    } else if (given != segment) {
      return false;
    }
  }
  return rest.empty();
}

constexpr std::array kAllMethods{Method::get,   Method::head, Method::post,   Method::put,
                                 Method::patch, Method::del,  Method::options};

}  // namespace

void Router::add(Route route) {
  SENSUS_ASSERT(route.pattern.starts_with('/'));
  SENSUS_ASSERT(route.handler != nullptr);
  const std::size_t index = routes_.size();
  const Method method = route.method;
  std::vector<std::string> segments = split(route.pattern);
  Entry* entry = nullptr;
  if (std::none_of(segments.begin(), segments.end(), is_param)) {
    entry = &exact_[route.pattern];
    entry->segments = std::move(segments);
  } else {
    auto at = std::find_if(with_params_.begin(), with_params_.end(),
                           [&segments](const Entry& known) { return known.segments == segments; });
    if (at == with_params_.end()) {
      at = std::find_if(with_params_.begin(), with_params_.end(),
                        [&segments](const Entry& known) { return more_specific(segments, known.segments); });
      at = with_params_.insert(at, Entry{std::move(segments), {}});
    }
    entry = &*at;
  }
  for (const std::size_t known : entry->routes) {
    SENSUS_ASSERT(routes_[known].method != method);
  }
  entry->routes.push_back(index);
  routes_.push_back(std::move(route));
}

const Route* Router::pick(const Entry& entry, Method method) const {
  const Route* get = nullptr;
  for (const std::size_t index : entry.routes) {
    const Route& route = routes_[index];
    if (route.method == method) {
      return &route;
    }
    if (route.method == Method::get) {
      get = &route;
    }
  }
  return method == Method::head ? get : nullptr;
}

std::variant<Router::Match, Router::NotFound, Router::MethodNotAllowed> Router::find(Method method,
                                                                                     std::string_view path) const {
  std::vector<const Entry*> candidates;
  if (const auto exact = exact_.find(path); exact != exact_.end()) {
    if (const Route* route = pick(exact->second, method)) {
      return Match{route, {}};
    }
    candidates.push_back(&exact->second);
  }
  Params params;
  for (const Entry& entry : with_params_) {
    if (!match(entry.segments, path, params)) {
      continue;
    }
    if (const Route* route = pick(entry, method)) {
      return Match{route, std::move(params)};
    }
    candidates.push_back(&entry);
  }
  std::string allow;
  for (const Method known : kAllMethods) {
    const bool allowed = std::any_of(candidates.begin(), candidates.end(),
                                     [&](const Entry* entry) { return pick(*entry, known) != nullptr; });
    if (allowed) {
      allow += allow.empty() ? "" : ", ";
      allow += to_string(known);
    }
  }
  if (allow.empty()) {
    return NotFound{};
  }
  return MethodNotAllowed{std::move(allow)};
}

}  // namespace sensus::http
