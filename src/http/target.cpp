#include "target_internal.hpp"

#include "sensus/core/utf8.hpp"

#include <algorithm>
#include <cstddef>

namespace sensus::http {
namespace {

constexpr std::size_t kQueryPairsMax = 256;

int hex_value(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return -1;
}

/// Appends the decoded text. False at a broken escape.
bool percent_decode(std::string_view text, bool plus_is_space, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '+' && plus_is_space) {
      out.push_back(' ');
      continue;
    }
    if (c != '%') {
      out.push_back(c);
      continue;
    }
    if (i + 2 >= text.size()) {
      return false;
    }
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) {
      return false;
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return true;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

/// "http://host:port/path" -> "/path"; empty when it is not absolute-form with a host.
std::string_view strip_authority(std::string_view target) {
  const auto scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) {
    return {};
  }
  std::string scheme(target.substr(0, scheme_end));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (scheme != "http" && scheme != "https") {
    return {};
  }
  const std::string_view rest = target.substr(scheme_end + 3);
  const auto path_at = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, path_at);
  if (authority.empty() || authority.find('@') != std::string_view::npos) {
    return {};
  }
  if (path_at == std::string_view::npos) {
    return "/";
  }
  return rest.substr(path_at);
}

std::string_view add_segment(std::string_view raw, std::string& path) {
  if (raw.empty()) {
    return {};
  }
  const std::size_t at = path.size();
  if (!percent_decode(raw, false, path)) {
    return "the path has a broken percent escape";
  }
  const std::string_view segment = std::string_view(path).substr(at);
  if (segment == "..") {
    return "the path has a '..' segment";
  }
  if (segment == ".") {
    path.resize(at);
    return {};
  }
  for (const char c : segment) {
    if (is_control(c) || c == '/' || c == '\\') {
      return "the path has an encoded slash, backslash or control character";
    }
  }
  path.push_back('/');
  return {};
}

std::string_view parse_path(std::string_view raw, std::string& path) {
  path.push_back('/');
  std::size_t at = 1;
  while (at <= raw.size()) {
    const std::size_t end = std::min(raw.find('/', at), raw.size());
    if (const auto wrong = add_segment(raw.substr(at, end - at), path); !wrong.empty()) {
      return wrong;
    }
    at = end + 1;
  }
  // add_segment ends each segment with a slash; it stays only where the client wrote one.
  if (path.size() > 1 && raw.back() != '/') {
    path.pop_back();
  }
  return is_utf8(path) ? std::string_view{} : "the path is not UTF-8";
}

std::string_view parse_query(std::string_view raw, QueryPairs& query) {
  std::size_t at = 0;
  while (at <= raw.size()) {
    const std::size_t end = std::min(raw.find('&', at), raw.size());
    const std::string_view pair = raw.substr(at, end - at);
    at = end + 1;
    if (pair.empty()) {
      continue;
    }
    if (query.size() == kQueryPairsMax) {
      return "the query has more than 256 parameters";
    }
    const std::size_t equals = std::min(pair.find('='), pair.size());
    auto& [name, value] = query.emplace_back();
    const std::string_view raw_value = equals < pair.size() ? pair.substr(equals + 1) : std::string_view{};
    if (!percent_decode(pair.substr(0, equals), true, name) || !percent_decode(raw_value, true, value)) {
      return "the query has a broken percent escape";
    }
    if (name.find('\0') != std::string::npos || value.find('\0') != std::string::npos) {
      return "the query has a NUL character";
    }
    if (!is_utf8(name) || !is_utf8(value)) {
      return "the query is not UTF-8";
    }
  }
  return {};
}

}  // namespace

std::string_view parse_target(std::string_view target, std::string& path, QueryPairs& query) {
  path.clear();
  query.clear();
  if (target == "*") {
    path.push_back('*');
    return {};
  }
  std::string_view rest = target;
  if (rest.empty() || rest.front() != '/') {
    rest = strip_authority(rest);
    if (rest.empty()) {
      return "the request-target is neither a path nor an absolute URL";
    }
  }
  if (rest.find('#') != std::string_view::npos) {
    return "the request-target has a fragment";
  }
  const std::size_t question = std::min(rest.find('?'), rest.size());
  const std::string_view raw_path = question == 0 ? std::string_view("/") : rest.substr(0, question);
  if (const auto wrong = parse_path(raw_path, path); !wrong.empty()) {
    return wrong;
  }
  return question < rest.size() ? parse_query(rest.substr(question + 1), query) : std::string_view{};
}

}  // namespace sensus::http
