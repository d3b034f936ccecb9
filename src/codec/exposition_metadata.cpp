#include "exposition_metadata_internal.hpp"

#include "sensus/core/utf8.hpp"

#include <algorithm>

namespace sensus::codec {
namespace {

constexpr std::string_view kBlanks = " \t";

/// Up to the next blank; what follows stays without the blanks before it.
std::string_view take_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(kBlanks));
  rest.remove_prefix(word.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  return word;
}

std::string_view without_end_blanks(std::string_view text) {
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

/// A line feed and a backslash are escaped; OpenMetrics escapes double quotes as well.
void unescape(std::string_view text, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] != '\\' || (next != '\\' && next != 'n' && next != '"')) {
      out.push_back(text[i]);
      continue;
    }
    out.push_back(next == 'n' ? '\n' : next);
    ++i;
  }
}

}  // namespace

void FamilyComments::read(std::string_view line) {
  const std::string_view keyword = take_word(line);
  if (keyword != "TYPE" && keyword != "HELP" && keyword != "UNIT") {
    return;
  }
  const std::string_view family = take_word(line);
  if (family.empty() || !is_utf8(line) || !is_utf8(family)) {
    ++refused_;
    return;
  }
  turn_to(family);
  if (keyword == "HELP") {
    unescape(line, help_);
    return;
  }
  line = without_end_blanks(line);
  if (keyword == "UNIT") {
    family_.unit = line;
    return;
  }
  const auto type = model::parse_metric_type(line);
  refused_ += type ? 0 : 1;
  family_.type = type.value_or(model::MetricType::unknown);
}

void FamilyComments::finish() {
  if (open_) {
    family_.help = help_;
    out_.append(family_);
  }
  open_ = false;
}

void FamilyComments::turn_to(std::string_view family) {
  if (open_ && family_.family == family) {
    return;
  }
  finish();
  family_ = {.family = family};
  help_.clear();
  open_ = true;
}

}  // namespace sensus::codec
