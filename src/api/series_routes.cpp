#include "operation_internal.hpp"

#include "sensus/codec/model_json.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

namespace sensus::api {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kStepsMax = 11'000;    ///< A series, as Prometheus limits it.
constexpr std::int64_t kPointsMax = 200'000;  ///< A reply: about 8 MB of JSON.
constexpr std::int64_t kSeriesDefault = 100;
constexpr std::int64_t kDefaultSteps = 250;
constexpr std::int64_t kGroupedSeriesMax = 10'000;
constexpr std::chrono::hours kRangeMax{24 * 366 * 5};
constexpr std::size_t kLabelsOfGroupsMax = 16;

/// In the order of storage::Aggregation.
const std::vector<std::string_view> kAggregations = {"min", "max", "avg", "last", "sum", "count", "rate", "p50", "p95", "p99"};

const ParamSpecs& series_params() {
  static const ParamSpecs specs = {
      {.name = "metric", .help = "Only series of this metric.", .example = "request_latency_seconds", .max = 255},
      series_match_param(),
      selector_param("match[]"),
      limit_param(),
      cursor_param(),
  };
  return specs;
}

const ParamSpecs& range_params() {
  static const ParamSpecs specs = {
      {.name = "metric", .help = "Name of the metric; it or `query` is required.", .example = "request_latency_seconds", .max = 255},
      selector_param({}),
      series_match_param(),
      {.name = "from", .kind = ParamKind::time, .help = "Start, inclusive.", .example = "2026-11-20T08:00:00Z",
       .default_text = "an hour before to", .alias = "start"},
      {.name = "to", .kind = ParamKind::time, .help = "End, exclusive.", .example = "2026-11-20T10:00:00Z",
       .default_text = "now", .alias = "end"},
      {.name = "step", .kind = ParamKind::duration,
       .help = "Width of a point: the range may have at most 11000 steps, and steps times limit at most 200000.",
       .example = "1m", .default_text = "the range in 250 steps, at least 1s", .min = 1, .max = 30 * 86400},
      {.name = "agg", .kind = ParamKind::choice,
       .help = "How the samples of a step become one point; `rate` is a second's increase of a counter, as Prometheus' rate() over the "
               "step.",
       .example = "avg", .default_text = "avg", .choices = kAggregations},
      {.name = "by",
       .help = "Labels, divided by commas: the samples of all series that have the same values of these are folded together (rates are "
               "added). At most 10000 series.",
       .example = "service", .max = 1024},
      {.name = "limit", .kind = ParamKind::integer, .help = "Series at most; `truncated` tells that there are more.",
       .example = "10", .default_text = "100, fewer where the range has many steps", .min = 1, .max = 500},
  };
  return specs;
}

void append_value(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char digits[32];
  const auto [end, error] = std::to_chars(std::begin(digits), std::end(digits), value);
  out.append(digits, error == std::errc{} ? end : digits);
}

std::string render_series(const storage::SeriesInfo& series, const storage::MetadataStore::ByMetric& metadata) {
  const auto said = metadata.find(series.metric_name);
  return "{\"id\":" + std::to_string(series.id) + ",\"metric_name\":" + codec::quote_json(series.metric_name) +
         ",\"labels\":" + codec::render_labels(series.labels) + ",\"first_seen\":\"" +
         render_rfc3339(series.first_seen) + "\",\"last_seen\":\"" + render_rfc3339(series.last_seen) + "\",\"ended_at\":" +
         (series.ended_at ? "\"" + render_rfc3339(*series.ended_at) + "\"" : "null") + ",\"metadata\":" +
         (said == metadata.end() ? "null" : codec::render_metadata(said->second)) + "}";
}

std::vector<std::string> names_of(const std::vector<storage::SeriesInfo>& series) {
  std::set<std::string> names;
  for (const storage::SeriesInfo& one : series) {
    names.insert(one.metric_name);
  }
  return {names.begin(), names.end()};
}

model::Selector join(model::Selector one, const model::Selector& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

Result<storage::SeriesQuery> parse_series_query(const http::Request& request) {
  SENSUS_TRY(const QueryParams query, QueryParams::parse(request, series_params()));
  storage::SeriesQuery out;
  out.metric_name = query.text("metric");
  out.selector = join(query.selector("query"), query.selector("match"));
  out.limit = limit_of(query);
  if (const auto cursor = query.cursor("cursor")) {
    if (cursor->id <= 0 || cursor->id > std::numeric_limits<SeriesId>::max()) {
      return make_error(Errc::invalid_input, "cursor is not one of this list", "cursor");
    }
    out.after = static_cast<SeriesId>(cursor->id);
  }
  return out;
}

Reply list_series(State& state, const http::Request& request) {
  auto query = parse_series_query(request);
  if (!query) {
    co_return http::to_response(query.error());
  }
  const std::size_t limit = query->limit;
  query->limit = limit + 1;  // One more tells whether there is another page.
  auto listing = state.deps.samples.list_series(request.deadline, kDefaultTenant, std::move(*query));
  auto rows = co_await std::move(listing);
  if (!rows) {
    co_return http::to_response(rows.error());
  }
  storage::Page<storage::SeriesInfo> page;
  page.items = std::move(*rows);
  if (page.items.size() > limit) {
    page.items.resize(limit);
    page.next = model::PageKey{Timestamp{}, page.items.back().id};
  }
  auto describing = state.deps.metadata.of_metrics(request.deadline, kDefaultTenant, names_of(page.items));
  const auto metadata = co_await std::move(describing);
  if (!metadata) {
    co_return http::to_response(metadata.error());
  }
  co_return reply_page(page, [&metadata](const storage::SeriesInfo& series) { return render_series(series, *metadata); });
}

storage::Aggregation parse_aggregation(const std::string& text) {
  const auto found = std::ranges::find(kAggregations, text);
  return found == kAggregations.end() ? storage::Aggregation::avg : static_cast<storage::Aggregation>(found - kAggregations.begin());
}

std::string_view to_text(storage::Aggregation aggregation) { return kAggregations.at(static_cast<std::size_t>(aggregation)); }

/// "job, instance" as {"job", "instance"}.
Result<std::vector<std::string>> parse_by(std::string_view text) {
  std::vector<std::string> names;
  while (true) {
    const std::size_t end = std::min(text.find(','), text.size());
    std::string_view name = text.substr(0, end);
    name.remove_prefix(std::min(name.find_first_not_of(' '), name.size()));
    name = name.substr(0, name.find_last_not_of(' ') + 1);
    if (name.empty() || names.size() == kLabelsOfGroupsMax || std::ranges::find(names, name) != names.end()) {
      return make_error(Errc::invalid_input, "by must be 1 to 16 different names of labels, divided by commas", "by");
    }
    names.emplace_back(name);
    if (end == text.size()) {
      return names;
    }
    text.remove_prefix(end + 1);
  }
}

milliseconds default_step(milliseconds range) {
  const std::int64_t seconds = (range.count() / 1000 + kDefaultSteps - 1) / kDefaultSteps;
  return milliseconds{std::max<std::int64_t>(seconds, 1) * 1000};
}

/// Bounds the reply before the database is asked.
Result<> bound_reply(const QueryParams& query, storage::RangeQuery& out) {
  const auto range = std::chrono::duration_cast<milliseconds>(out.to - out.from);
  if (range > kRangeMax) {
    return make_error(Errc::invalid_input, "the range may be at most 1830 days long", "from");
  }
  const std::int64_t steps = range / out.step + 1;
  if (steps > kStepsMax) {
    return make_error(Errc::invalid_input,
                      "step is too small for this range: " + std::to_string(steps) + " steps, at most " +
                          std::to_string(kStepsMax) + "; widen step or shorten the range", "step");
  }
  const std::int64_t fitting = std::max<std::int64_t>(kPointsMax / steps, 1);
  const auto limit = query.integer("limit");
  if (limit && *limit > fitting) {
    return make_error(Errc::invalid_input, "limit may be at most " + std::to_string(fitting) +
                                               " for this range and step; widen step or lower limit", "limit");
  }
  out.series_max = static_cast<std::size_t>(limit.value_or(std::min(fitting, kSeriesDefault)));
  out.points_max = static_cast<std::size_t>(kStepsMax);
  out.points_total_max = static_cast<std::size_t>(kPointsMax + kStepsMax);
  return {};
}

Result<storage::RangeQuery> parse_range_query(const http::Request& request, Timestamp now) {
  SENSUS_TRY(const QueryParams query, QueryParams::parse(request, range_params()));
  storage::RangeQuery out;
  out.metric_name = query.text("metric");
  out.selector = query.selector("query");
  if (out.metric_name.empty() && out.selector.empty()) {
    return make_error(Errc::invalid_input, "metric or query is required: it says which series", "metric");
  }
  out.selector = join(std::move(out.selector), query.selector("match"));
  if (const std::string by = query.text("by"); !by.empty()) {
    SENSUS_TRY(out.by, parse_by(by));
  }
  out.to = query.time("to").value_or(now);
  out.from = query.time("from").value_or(out.to - std::chrono::hours{1});
  SENSUS_TRY_VOID(check_range(out.from, out.to));
  out.step = query.duration("step").value_or(default_step(std::chrono::duration_cast<milliseconds>(out.to - out.from)));
  out.aggregation = parse_aggregation(query.text("agg"));
  SENSUS_TRY_VOID(bound_reply(query, out));
  return out;
}

/// The one name that all series of the answer have, as far as the question says.
std::string name_of(const storage::RangeQuery& query) {
  std::string name = query.metric_name;
  for (const model::SeriesMatcher& matcher : query.selector) {
    if (matcher.name == model::kNameLabel && matcher.op == model::SeriesMatchOp::equal && name.empty()) {
      name = matcher.value;
    }
  }
  return name;
}

std::string render_range_head(const storage::RangeQuery& query, bool truncated) {
  std::string out = "{\"metric_name\":" + codec::quote_json(name_of(query)) + ",\"from\":\"" +
                    render_rfc3339(query.from) + "\",\"to\":\"" + render_rfc3339(query.to) + "\",\"step_seconds\":";
  append_value(out, static_cast<double>(query.step.count()) / 1000);
  out += ",\"aggregation\":\"";
  out += to_text(query.aggregation);
  out += '"';
  if (query.by) {
    out += ",\"by\":[";
    for (const std::string& name : *query.by) {
      out += (out.back() == '[' ? "" : ",") + codec::quote_json(name);
    }
    out += ']';
  }
  out += truncated ? ",\"truncated\":true,\"series\":[" : ",\"truncated\":false,\"series\":[";
  return out;
}

void append_range_series(std::string& out, const storage::RangeSeries& series) {
  out += series.series.id == 0 ? "{\"series_id\":null,\"members\":" + std::to_string(series.members)
                               : "{\"series_id\":" + std::to_string(series.series.id);
  out += ",\"metric_name\":" +
         codec::quote_json(series.series.metric_name) + ",\"labels\":" + codec::render_labels(series.series.labels) +
         ",\"points\":[";
  for (const model::Sample& point : series.points) {
    out += out.back() == '[' ? "[\"" : ",[\"";
    out += render_rfc3339(point.time);
    out += "\",";
    append_value(out, point.value);
    out += ']';
  }
  out += "]}";
}

Reply query_range(State& state, const http::Request& request) {
  auto query = parse_range_query(request, state.deps.clock.now());
  if (!query) {
    co_return http::to_response(query.error());
  }
  storage::RangeQuery asked = *query;
  // One more tells whether the answer is complete; groups are complete or refused.
  asked.series_max = query->by ? static_cast<std::size_t>(kGroupedSeriesMax) : query->series_max + 1;
  auto reading = state.deps.samples.query_range(request.deadline, kDefaultTenant, std::move(asked));
  auto found = co_await std::move(reading);
  if (!found) {
    co_return http::to_response(found.error());
  }
  const bool truncated = found->size() > query->series_max;
  found->resize(std::min(found->size(), query->series_max));
  std::erase_if(*found, [](const storage::RangeSeries& series) { return series.points.empty(); });
  std::string body = render_range_head(*query, truncated);
  const auto executor = co_await boost::asio::this_coro::executor;
  for (std::size_t i = 0; i < found->size(); ++i) {
    body += i == 0 ? "" : ",";
    append_range_series(body, (*found)[i]);
    // A long answer must not hold the reactor: others get their turn between two series.
    co_await boost::asio::post(executor, boost::asio::use_awaitable);
  }
  body += "]}";
  co_return reply_json(200, std::move(body));
}

}  // namespace

Operations series_operations() {
  return {
      {.pattern = "/api/v1/series",
       .handler = list_series,
       .id = "listSeries",
       .tag = "series",
       .summary = "List series",
       .params = &series_params(),
       .reads_samples = true,
       .problems = {400, 406, 503},
       .responses = {{200, "A page of series, oldest first.", kJson, "SeriesPage"}}},
      {.pattern = "/api/v1/query_range",
       .handler = query_range,
       .id = "queryRange",
       .tag = "series",
       .summary = "Samples over a range, one point a step and series or group",
       .description = "Steps without samples have no point. A point is [start of the step, value]; a value beyond the numbers of JSON is "
                      "null. Steps that are made of whole hours or five minutes, from a time at such a slot on, are read from rollups "
                      "where there are some (not for rate and quantiles). See docs/queries.md.",
       .params = &range_params(),
       .reads_samples = true,
       .problems = {400, 406, 503},
       .responses = {{200, "One entry a series.", kJson, "RangeResult"}}},
  };
}

}  // namespace sensus::api
