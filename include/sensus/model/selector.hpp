#pragma once

#include "sensus/core/result.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::model {

/// The label under which matchers see the metric's name.
inline constexpr std::string_view kNameLabel = "__name__";

enum class SeriesMatchOp { equal, not_equal, regex, not_regex };

/// One condition on a series, as Prometheus has them: a label that a series lacks has the value "",
/// and a regular expression must match the whole value. The expression is not read here.
struct SeriesMatcher {
  std::string name;
  SeriesMatchOp op = SeriesMatchOp::equal;
  std::string value;
  friend bool operator==(const SeriesMatcher&, const SeriesMatcher&) = default;
};
using Selector = std::vector<SeriesMatcher>;

inline constexpr std::size_t kSelectorBytesMax = 8192;
inline constexpr std::size_t kSelectorMatchersMax = 64;

/// `name{label="x",other=~"a|b"}`, `{__name__=~"cpu_.+"}`, `{"any.name","a label"!="x"}`: strings
/// in double or single quotes with Go's escapes, or in backquotes without. A name outside and one
/// inside may not meet.
/// **Errors**: invalid_input that tells where and what was expected. Pure.
[[nodiscard]] Result<Selector> parse_selector(std::string_view text);

/// One matcher on its own, `label=~"x.*"`; the value may stand without quotes, then it runs to the
/// end.
/// **Errors**: invalid_input. Pure.
[[nodiscard]] Result<SeriesMatcher> parse_series_matcher(std::string_view text);

/// "=", "!=", "=~" or "!~".
[[nodiscard]] std::string_view to_string(SeriesMatchOp op);

}  // namespace sensus::model
