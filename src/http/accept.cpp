#include "accept_internal.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace sensus::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Takes the text up to `separator` off the front.
std::string_view next_part(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return trim(part);
}

/// qvalue = 0[.ddd] / 1[.000], in thousandths.
std::optional<int> parse_qvalue(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) {
    return std::nullopt;
  }
  int value = text[0] == '1' ? 1000 : 0;
  if (text.size() > 1 && text[1] != '.') {
    return std::nullopt;
  }
  int weight = 100;
  for (std::size_t i = 2; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9') {
      return std::nullopt;
    }
    value += (text[i] - '0') * weight;
    weight /= 10;
  }
  return value <= 1000 ? std::optional(value) : std::nullopt;
}

struct Element {
  std::string_view name;
  int quality = 1000;
};

/// Parameters other than q are ignored: what we produce has no variants by parameter.
std::optional<Element> parse_element(std::string_view text) {
  Element element;
  element.name = next_part(text, ';');
  while (!text.empty()) {
    std::string_view parameter = next_part(text, ';');
    if (parameter.size() >= 2 && lower(parameter[0]) == 'q' && parameter[1] == '=') {
      const auto quality = parse_qvalue(parameter.substr(2));
      if (!quality) {
        return std::nullopt;
      }
      element.quality = *quality;
    }
  }
  return element.name.empty() ? std::nullopt : std::optional(element);
}

/// 3 = exact type, 2 = type/*, 1 = */*, 0 = no match.
int specificity(std::string_view range, std::string_view type) {
  if (range == "*/*" || range == "*") {
    return 1;
  }
  if (range.size() > 2 && range.ends_with("/*")) {
    const std::string_view prefix = range.substr(0, range.size() - 1);
    return type.size() > prefix.size() && iequals(type.substr(0, prefix.size()), prefix) ? 2 : 0;
  }
  return iequals(range, type) ? 3 : 0;
}

/// The quality the most specific matching range gives to `type`; 0 when none matches, -1 when no range parses.
int quality_of(std::string_view accept, std::string_view type) {
  int best = 0;
  int quality = 0;
  bool any = false;
  while (!accept.empty()) {
    const auto element = parse_element(next_part(accept, ','));
    if (!element) {
      continue;
    }
    any = true;
    const int match = specificity(element->name, type);
    if (match > best) {
      best = match;
      quality = element->quality;
    }
  }
  return any ? quality : -1;
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

std::string_view media_type_of(std::string_view content_type) { return next_part(content_type, ';'); }

bool accept_allows(std::string_view accept, const std::vector<std::string>& produces) {
  if (trim(accept).empty() || produces.empty()) {
    return true;
  }
  return std::any_of(produces.begin(), produces.end(), [accept](const std::string& type) {
    return quality_of(accept, media_type_of(type)) != 0;
  });
}

bool accepts_gzip(std::string_view accept_encoding) {
  int star = 0;
  while (!accept_encoding.empty()) {
    const auto element = parse_element(next_part(accept_encoding, ','));
    if (!element) {
      continue;
    }
    if (iequals(element->name, "gzip") || iequals(element->name, "x-gzip")) {
      return element->quality > 0;
    }
    if (element->name == "*") {
      star = element->quality;
    }
  }
  return star > 0;
}

}  // namespace sensus::http
