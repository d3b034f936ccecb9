#include "query_params_internal.hpp"

#include "sensus/codec/model_json.hpp"
#include "sensus/core/assert.hpp"
#include "sensus/core/parse_number.hpp"
#include "sensus/core/utf8.hpp"

#include <algorithm>
#include <cmath>

namespace sensus::api {
namespace {

constexpr std::size_t kEchoBytesMax = 64;
/// Unix numbers from here on are milliseconds: 1e11 s is the year 5138, 1e11 ms is March 1973.
constexpr double kMillisecondsFrom = 1e11;
constexpr double kSecondsMax = 253'402'300'799.0;  // 9999-12-31T23:59:59Z

/// `, got "x"` for messages; nothing when the value is not fit to be shown.
std::string echo(std::string_view value) {
  if (value.size() > kEchoBytesMax || !is_utf8(value)) {
    return {};
  }
  return ", got \"" + std::string(value) + "\"";
}

std::string join(const std::vector<std::string_view>& words) {
  std::string out;
  for (const std::string_view word : words) {
    out += (out.empty() ? "" : ", ");
    out += word;
  }
  return out;
}

std::optional<Timestamp> parse_unix(std::string_view text) {
  const auto value = parse_number<double>(text);
  if (!value || !std::isfinite(*value) || *value < 0) {
    return std::nullopt;
  }
  const double seconds = *value >= kMillisecondsFrom ? *value / 1000 : *value;
  if (seconds > kSecondsMax) {
    return std::nullopt;
  }
  return from_unix_us(std::llround(seconds * 1e6));
}

std::optional<Timestamp> parse_time(std::string_view text) {
  if (auto unix_time = parse_unix(text)) {
    return unix_time;
  }
  auto exact = parse_rfc3339(text);
  if (exact) {
    return *exact;
  }
  // A `+` typed into a URL arrives as a space: 2026-11-20T09:00:00+01:00.
  std::string repaired(text);
  const auto space = repaired.rfind(' ');
  if (space == std::string::npos || space + 6 != repaired.size()) {
    return std::nullopt;
  }
  repaired[space] = '+';
  auto second = parse_rfc3339(repaired);
  return second ? std::optional(*second) : std::nullopt;
}

std::optional<std::chrono::milliseconds> parse_step(std::string_view text) {
  if (const auto seconds = parse_number<double>(text)) {
    if (!std::isfinite(*seconds) || *seconds < 0 || *seconds > 1e9) {
      return std::nullopt;
    }
    return std::chrono::milliseconds{std::llround(*seconds * 1000)};
  }
  auto parsed = parse_duration(text);
  return parsed ? std::optional(*parsed) : std::nullopt;
}

std::string allowed_of(const ParamSpec& spec) {
  const std::string range = std::to_string(spec.min) + " to " + std::to_string(spec.max);
  switch (spec.kind) {
    case ParamKind::text:
      return "must be 1 to " + std::to_string(spec.max) + " bytes of text";
    case ParamKind::choice:
      return "must be one of " + join(spec.choices);
    case ParamKind::integer:
      return "must be a whole number from " + range;
    case ParamKind::number:
      return "must be a number from " + range;
    case ParamKind::time:
      return "must be a time: RFC 3339 such as 2026-11-20T09:00:00Z, or Unix seconds";
    case ParamKind::duration:
      return "must be a duration such as 30s, 5m or 1h, or a number of seconds, from " + range + " seconds";
    case ParamKind::matcher:
      return "must be a label matcher such as severity=\"critical\" or severity!=\"info\"";
    case ParamKind::series_matcher:
      return "must be a label matcher such as job=\"api\", job!=\"api\", job=~\"api-.*\" or job!~\"api-.*\"";
    case ParamKind::selector:
      return "must be a selector of series such as cpu_usage{job=\"api\",instance=~\"a.*\"}";
    case ParamKind::cursor:
      return "must be the next_cursor of the page before, unchanged";
  }
  return {};
}

Error bad_value(const ParamSpec& spec, std::string_view text) {
  return make_error(Errc::invalid_input, std::string(spec.name) + " " + allowed_of(spec) + echo(text),
                    std::string(spec.name));
}

Error unknown_param(std::string_view name, const ParamSpecs& specs) {
  std::vector<std::string_view> known;
  for (const ParamSpec& spec : specs) {
    known.push_back(spec.name);
  }
  const bool shown = name.size() <= kEchoBytesMax && is_utf8(name) && !name.empty();
  const std::string what = shown ? "unknown query parameter \"" + std::string(name) + "\"" : "unknown query parameter";
  const std::string allowed = known.empty() ? "; this address takes none" : "; allowed: " + join(known);
  return make_error(Errc::invalid_input, what + allowed, shown ? std::string(name) : "query");
}

const ParamSpec* find_spec(const ParamSpecs& specs, std::string_view name) {
  const auto found = std::find_if(specs.begin(), specs.end(), [name](const ParamSpec& spec) {
    return spec.name == name || (!spec.alias.empty() && spec.alias == name);
  });
  return found == specs.end() ? nullptr : &*found;
}

std::string given_twice(const ParamSpec& spec) {
  std::string message = std::string(spec.name) + " may be given once";
  if (!spec.alias.empty()) {
    message += "; " + std::string(spec.alias) + " is another name for it";
  }
  return message;
}

}  // namespace

/// These are long enough to deserve the place of what is wrong.
Result<QueryParams::Value> QueryParams::parse_series(const ParamSpec& spec, std::string_view text) {
  Result<model::Selector> parsed = model::Selector{};
  if (spec.kind == ParamKind::selector) {
    parsed = model::parse_selector(text);
  } else if (auto matcher = model::parse_series_matcher(text)) {
    parsed->push_back(std::move(*matcher));
  } else {
    parsed = matcher.error();
  }
  if (!parsed) {
    Error error = bad_value(spec, text);
    error.message += ": " + parsed.error().message;
    return error;
  }
  return Value(std::move(*parsed));
}

Result<QueryParams::Value> QueryParams::parse_value(const ParamSpec& spec, std::string_view text) {
  const auto in_range = [&spec](double value) {
    return value >= static_cast<double>(spec.min) && value <= static_cast<double>(spec.max);
  };
  switch (spec.kind) {
    case ParamKind::text:
      if (!text.empty() && text.size() <= static_cast<std::size_t>(spec.max)) {
        return Value(std::string(text));
      }
      break;
    case ParamKind::choice:
      if (std::find(spec.choices.begin(), spec.choices.end(), text) != spec.choices.end()) {
        return Value(std::string(text));
      }
      break;
    case ParamKind::integer:
      if (const auto value = parse_number<std::int64_t>(text); value && *value >= spec.min && *value <= spec.max) {
        return Value(*value);
      }
      break;
    case ParamKind::number:
      if (const auto value = parse_number<double>(text); value && in_range(*value)) {
        return Value(*value);
      }
      break;
    case ParamKind::time:
      if (const auto value = parse_time(text)) {
        return Value(*value);
      }
      break;
    case ParamKind::duration:
      if (const auto value = parse_step(text); value && in_range(static_cast<double>(value->count()) / 1000)) {
        return Value(*value);
      }
      break;
    case ParamKind::matcher:
      if (auto value = model::parse_matcher(text)) {
        return Value(std::move(*value));
      }
      break;
    case ParamKind::series_matcher:
    case ParamKind::selector:
      return parse_series(spec, text);
    case ParamKind::cursor:
      if (const auto value = codec::parse_cursor(text)) {
        return Value(*value);
      }
      break;
  }
  return bad_value(spec, text);
}

Result<QueryParams> QueryParams::parse(const http::Request& request, const ParamSpecs& specs) {
  QueryParams query;
  for (const auto& [name, text] : request.query) {
    const ParamSpec* spec = find_spec(specs, name);
    if (spec == nullptr) {
      return unknown_param(name, specs);
    }
    if (!is_utf8(text) || text.find('\0') != std::string::npos) {
      return make_error(Errc::invalid_input, std::string(spec->name) + " must be UTF-8 text without NUL",
                        std::string(spec->name));
    }
    const bool again = std::any_of(query.values_.begin(), query.values_.end(),
                                   [spec](const auto& entry) { return entry.first == spec; });
    if (again && !spec->repeated) {
      return make_error(Errc::invalid_input, given_twice(*spec), std::string(spec->name));
    }
    SENSUS_TRY(Value value, parse_value(*spec, text));
    query.values_.emplace_back(spec, std::move(value));
  }
  for (const ParamSpec& spec : specs) {
    const bool given = std::any_of(query.values_.begin(), query.values_.end(),
                                   [&spec](const auto& entry) { return entry.first == &spec; });
    if (spec.required && !given) {
      return make_error(Errc::invalid_input, std::string(spec.name) + " is required: it " + allowed_of(spec),
                        std::string(spec.name));
    }
  }
  return query;
}

template <class T>
std::vector<T> QueryParams::find_all(std::string_view name) const {
  std::vector<T> out;
  for (const auto& [spec, value] : values_) {
    if (spec->name == name) {
      const T* typed = std::get_if<T>(&value);
      SENSUS_ASSERT(typed != nullptr);
      out.push_back(*typed);
    }
  }
  return out;
}

template <class T>
std::optional<T> QueryParams::find(std::string_view name) const {
  const auto all = find_all<T>(name);
  return all.empty() ? std::nullopt : std::optional<T>(all.front());
}

std::string QueryParams::text(std::string_view name) const { return find<std::string>(name).value_or(""); }
std::vector<std::string> QueryParams::texts(std::string_view name) const { return find_all<std::string>(name); }
std::optional<std::int64_t> QueryParams::integer(std::string_view name) const { return find<std::int64_t>(name); }
std::optional<double> QueryParams::number(std::string_view name) const { return find<double>(name); }
std::optional<Timestamp> QueryParams::time(std::string_view name) const { return find<Timestamp>(name); }
std::optional<std::chrono::milliseconds> QueryParams::duration(std::string_view name) const {
  return find<std::chrono::milliseconds>(name);
}
std::vector<model::Matcher> QueryParams::matchers(std::string_view name) const {
  return find_all<model::Matcher>(name);
}
model::Selector QueryParams::selector(std::string_view name) const {
  model::Selector out;
  for (const model::Selector& part : find_all<model::Selector>(name)) {
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}
std::optional<model::PageKey> QueryParams::cursor(std::string_view name) const { return find<model::PageKey>(name); }

const ParamSpecs& no_params() {
  static const ParamSpecs none;
  return none;
}

ParamSpec limit_param() {
  return {.name = "limit", .kind = ParamKind::integer, .help = "Entries on a page.", .example = "20",
          .default_text = "50", .min = 1, .max = 500};
}

ParamSpec cursor_param() {
  return {.name = "cursor", .kind = ParamKind::cursor,
          .help = "`next_cursor` of the page before; leave out for the first page. Keep the other parameters unchanged.",
          .example = ""};
}

ParamSpec from_param(std::string_view help) {
  return {.name = "from", .kind = ParamKind::time, .help = help, .example = "2026-11-20T08:00:00Z", .alias = "start"};
}

ParamSpec to_param(std::string_view help) {
  return {.name = "to", .kind = ParamKind::time, .help = help, .example = "2026-11-20T10:00:00Z", .alias = "end"};
}

ParamSpec match_param(std::string_view help, std::string_view example) {
  return {.name = "match", .kind = ParamKind::matcher, .help = help, .example = example, .repeated = true};
}

ParamSpec series_match_param() {
  return {.name = "match", .kind = ParamKind::series_matcher, .help = "Label matcher with =, !=, =~ or !~; repeat it to require several.",
          .example = "service=~\"checkout|cart\"", .repeated = true};
}

ParamSpec selector_param(std::string_view alias) {
  return {.name = "query", .kind = ParamKind::selector,
          .help = "Selector as in Prometheus: `name{label=\"value\",other=~\"a|b\"}`. Regular expressions match whole values.",
          .example = "request_latency_seconds{service=~\"check.*\"}", .alias = alias};
}

std::size_t limit_of(const QueryParams& query) { return static_cast<std::size_t>(query.integer("limit").value_or(50)); }

Result<> check_range(std::optional<Timestamp> from, std::optional<Timestamp> to) {
  if (from && to && *from >= *to) {
    return make_error(Errc::invalid_input, "from must be before to: got from " + render_rfc3339(*from) + ", to " +
                                               render_rfc3339(*to), "from");
  }
  return {};
}

Result<std::int64_t> id_of(const http::Request& request) {
  const auto id = parse_number<std::int64_t>(request.path_param("id"));
  if (!id || *id <= 0) {
    return make_error(Errc::invalid_input, "id must be a positive whole number" + echo(request.path_param("id")), "id");
  }
  return *id;
}

}  // namespace sensus::api
