#include "sensus/model/labels.hpp"

namespace sensus::model {
namespace {

constexpr std::string_view kBlank = " \t";

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// The text between the quotes, with \" \\ \n undone.
std::optional<std::string> unquote(std::string_view text) {
  if (text.size() < 2 || text.back() != '"') {
    return std::nullopt;
  }
  const std::string_view inner = text.substr(1, text.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] == '"') {
      return std::nullopt;
    }
    if (inner[i] != '\\') {
      out.push_back(inner[i]);
      continue;
    }
    ++i;
    if (i == inner.size() || std::string_view("\"\\n").find(inner[i]) == std::string_view::npos) {
      return std::nullopt;
    }
    out.push_back(inner[i] == 'n' ? '\n' : inner[i]);
  }
  return out;
}

}  // namespace

std::optional<Matcher> parse_matcher(std::string_view text) {
  const std::size_t sign = text.find('=');
  if (sign == std::string_view::npos) {
    return std::nullopt;
  }
  Matcher out;
  std::string_view name = text.substr(0, sign);
  if (name.ends_with('!')) {
    out.op = MatchOp::not_equal;
    name.remove_suffix(1);
  }
  name = trim(name);
  const std::string_view value = trim(text.substr(sign + 1));
  if (name.empty() || name.find_first_of(" \t!~\"{},") != std::string_view::npos) {
    return std::nullopt;
  }
  out.name = name;
  if (value.starts_with('"')) {
    auto unquoted = unquote(value);
    if (!unquoted) {
      return std::nullopt;
    }
    out.value = *std::move(unquoted);
    return out;
  }
  // `=~` and `==` are somebody's regular expression or typing error, not a value.
  if (value.starts_with('~') || value.starts_with('=') || value.find('"') != std::string_view::npos) {
    return std::nullopt;
  }
  out.value = value;
  return out;
}

bool matches(const Matcher& matcher, const Labels& labels) {
  return (labels.get(matcher.name) == matcher.value) == (matcher.op == MatchOp::equal);
}

}  // namespace sensus::model
