#pragma once

#include "sensus/core/time.hpp"
#include "sensus/http/message.hpp"
#include "sensus/model/event.hpp"
#include "sensus/model/labels.hpp"
#include "sensus/model/selector.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sensus::api {

enum class ParamKind {
  text,      ///< 1 to max bytes of UTF-8 without NUL.
  choice,    ///< One of `choices`.
  integer,   ///< min to max.
  number,    ///< min to max, finite.
  time,      ///< RFC 3339, or Unix seconds (milliseconds from 1e11 on).
  duration,  ///< "15s", "1h30m", or a number of seconds; min to max are seconds.
  matcher,   ///< name="value" or name!="value".
  series_matcher,  ///< name="value", name!="value", name=~"regex" or name!~"regex".
  selector,  ///< name{label="value",...}.
  cursor,    ///< `next_cursor` of the page before.
};

/// One query parameter of a route. The check of requests and the parameters of /openapi.json are both made from it.
struct ParamSpec {
  std::string_view name;
  ParamKind kind = ParamKind::text;
  std::string_view help = {};
  std::string_view example = {};
  std::string_view default_text = {};
  std::string_view alias = {};  ///< A second name for the same thing.
  std::vector<std::string_view> choices = {};
  std::int64_t min = 0;
  std::int64_t max = 0;
  bool required = false;
  bool repeated = false;
};
using ParamSpecs = std::vector<ParamSpec>;

/// The validated query of one request. Values are looked up by the spec's name; asking for another kind than declared is a bug.
class QueryParams {
 public:
  /// **Errors**: invalid_input with `field` = the parameter, for an unknown name, a bad value, a missing required one, or a second
  /// value where one is allowed. The message says what is allowed.
  [[nodiscard]] static Result<QueryParams> parse(const http::Request& request, const ParamSpecs& specs);

  /// Text or choice; "" when absent.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
  [[nodiscard]] std::optional<double> number(std::string_view name) const;
  [[nodiscard]] std::optional<Timestamp> time(std::string_view name) const;
  [[nodiscard]] std::optional<std::chrono::milliseconds> duration(std::string_view name) const;
  [[nodiscard]] std::vector<model::Matcher> matchers(std::string_view name) const;
  /// Of a series_matcher (all that are given) or a selector; empty when absent.
  [[nodiscard]] model::Selector selector(std::string_view name) const;
  [[nodiscard]] std::optional<model::PageKey> cursor(std::string_view name) const;

 private:
  using Value = std::variant<std::string, std::int64_t, double, Timestamp, std::chrono::milliseconds, model::Matcher,
                             model::Selector, model::PageKey>;
  static Result<Value> parse_series(const ParamSpec& spec, std::string_view text);
  static Result<Value> parse_value(const ParamSpec& spec, std::string_view text);
  template <class T>
  [[nodiscard]] std::optional<T> find(std::string_view name) const;
  template <class T>
  [[nodiscard]] std::vector<T> find_all(std::string_view name) const;

  std::vector<std::pair<const ParamSpec*, Value>> values_;
};

[[nodiscard]] const ParamSpecs& no_params();
/// `limit` of every list: 1 to 500, default 50.
[[nodiscard]] ParamSpec limit_param();
[[nodiscard]] ParamSpec cursor_param();
[[nodiscard]] ParamSpec from_param(std::string_view help);
[[nodiscard]] ParamSpec to_param(std::string_view help);
[[nodiscard]] ParamSpec match_param(std::string_view help, std::string_view example);
/// `match` and `query` of routes that choose series.
[[nodiscard]] ParamSpec series_match_param();
[[nodiscard]] ParamSpec selector_param(std::string_view alias);
[[nodiscard]] std::size_t limit_of(const QueryParams& query);
/// invalid_input on `from` unless from < to, where both are given.
[[nodiscard]] Result<> check_range(std::optional<Timestamp> from, std::optional<Timestamp> to);
/// A positive id out of the path, else invalid_input.
[[nodiscard]] Result<std::int64_t> id_of(const http::Request& request);

}  // namespace sensus::api
