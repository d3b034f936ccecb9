#include "operation_internal.hpp"

#include "sensus/codec/model_json.hpp"
#include "sensus/core/parse_number.hpp"
#include "sensus/model/forecast.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace sensus::api {
namespace {

constexpr std::int64_t kDefaultSteps = 200;

const ParamSpecs& forecast_params() {
  static const ParamSpecs specs = {
      {.name = "series",
       .kind = ParamKind::text,
       .help = "Selector `name{label=\"value\",...}` of at most 10 series, or the id of one.",
       .example = "disk_used_ratio{host=\"db-1\"}",
       .max = 8192,
       .required = true},
      {.name = "horizon",
       .kind = ParamKind::duration,
       .help = "How far ahead.",
       .example = "7d",
       .default_text = "1d",
       .min = 60,
       .max = model::kForecastHorizonMax.count()},
      {.name = "step",
       .kind = ParamKind::duration,
       .help = "Distance of two points, at most 2000 of which fit the horizon.",
       .example = "1h",
       .default_text = "the horizon in 200 steps",
       .min = model::kForecastStepMin.count(),
       .max = model::kForecastHorizonMax.count()},
      {.name = "limit",
       .kind = ParamKind::number,
       .help = "A value; each series tells when it gets there.",
       .example = "0.95",
       .min = -9'000'000'000'000'000,
       .max = 9'000'000'000'000'000},
      {.name = "direction",
       .kind = ParamKind::choice,
       .help = "How the limit is reached: by rising (above) or by falling (below).",
       .example = "above",
       .default_text = "above",
       .choices = {"above", "below"}},
  };
  return specs;
}

std::chrono::seconds round_up(std::chrono::milliseconds duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration);
}

Result<model::ForecastQuery> parse_forecast_query(const http::Request& request) {
  SENSUS_TRY(const QueryParams query, QueryParams::parse(request, forecast_params()));
  model::ForecastQuery out;
  const std::string series = query.text("series");
  if (std::ranges::all_of(series, [](char c) { return c >= '0' && c <= '9'; })) {
    const auto id = parse_number<SeriesId>(series);
    if (!id || *id <= 0) {
      return make_error(Errc::invalid_input, "series is no id of a series", "series");
    }
    out.series = *id;
  } else {
    auto selector = model::parse_selector(series);
    if (!selector) {
      return make_error(Errc::invalid_input,
                        "series must be a selector or an id: " + selector.error().message,
                        "series");
    }
    out.selector = std::move(*selector);
  }
  out.horizon = round_up(query.duration("horizon").value_or(std::chrono::hours{24}));
  const std::chrono::seconds fitting{(out.horizon.count() / kDefaultSteps + 59) / 60 * 60};
  const auto step = query.duration("step");
  out.step = step ? round_up(*step) : std::max(fitting, model::kForecastStepMin);
  if (out.step > out.horizon) {
    return make_error(Errc::invalid_input, "step must not be longer than horizon", "step");
  }
  if (out.horizon / out.step > static_cast<std::int64_t>(model::kForecastPointsMax)) {
    return make_error(Errc::invalid_input,
                      "a forecast has at most 2000 points: widen step or shorten horizon", "step");
  }
  out.limit = query.number("limit");
  out.is_limit_below = query.text("direction") == "below";
  if (out.is_limit_below && !out.limit) {
    return make_error(Errc::invalid_input, "direction says how limit is reached: give limit too",
                      "direction");
  }
  return out;
}

std::string digits(double value) {
  if (!std::isfinite(value)) {
    return "null";
  }
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

std::string render_time(const std::optional<Timestamp>& time) {
  return time ? "\"" + render_rfc3339(*time) + "\"" : "null";
}

std::string_view to_text(model::SeriesForecast::Status status) {
  switch (status) {
    case model::SeriesForecast::Status::ok: return "ok";
    case model::SeriesForecast::Status::silent: return "silent";
    case model::SeriesForecast::Status::unknown: break;
  }
  return "unknown";
}

void append_forecast(std::string& out, const model::SeriesForecast& forecast,
                     const model::ForecastQuery& query) {
  out += "{\"series_id\":" + std::to_string(forecast.id) +
         ",\"metric_name\":" + codec::quote_json(forecast.metric_name) +
         ",\"labels\":" + codec::render_labels(forecast.labels) +
         ",\"is_rate\":" + (forecast.is_rate ? "true" : "false") + ",\"status\":\"" +
         std::string(to_text(forecast.status)) +
         "\",\"learned_to\":" + render_time(forecast.learned_to) + ",\"limit\":";
  if (query.limit) {
    out += "{\"value\":" + digits(*query.limit) + ",\"direction\":\"" +
           (query.is_limit_below ? "below" : "above") +
           "\",\"reached_at\":" + render_time(forecast.limit_at) +
           ",\"earliest_at\":" + render_time(forecast.limit_earliest) +
           ",\"latest_at\":" + render_time(forecast.limit_latest) + "}";
  } else {
    out += "null";
  }
  out += ",\"points\":[";
  for (const model::ForecastPoint& point : forecast.points) {
    out += out.back() == '[' ? "[\"" : ",[\"";
    out += render_rfc3339(point.time) + "\"," + digits(point.expected) + "," + digits(point.low) +
           "," + digits(point.high) + "]";
  }
  out += "]}";
}

Reply forecast(State& state, const http::Request& request) {
  auto query = parse_forecast_query(request);
  if (!query) {
    co_return http::to_response(query.error());
  }
  model::ForecastQuery asked = *query;
  auto making = state.deps.forecast(request.deadline, kDefaultTenant, std::move(asked));
  const auto made = co_await std::move(making);
  if (!made) {
    co_return http::to_response(made.error());
  }
  std::string body = "{\"horizon_seconds\":" + std::to_string(query->horizon.count()) +
                     ",\"step_seconds\":" + std::to_string(query->step.count()) + ",\"series\":[";
  for (const model::SeriesForecast& one : *made) {
    body += body.back() == '[' ? "" : ",";
    append_forecast(body, one, *query);
  }
  co_return reply_json(200, body + "]}");
}

}  // namespace

Operations forecast_operations() {
  return {
      {.pattern = "/api/v1/forecast",
       .handler = forecast,
       .id = "forecast",
       .tag = "analysis",
       .summary = "How series will go on, and when they reach a limit",
       .description = "Level, trend and season as the detector of each series knows them, brought "
                      "up to date with what is stored; of counters the "
                      "rate a second. A point is [time, expected, low, high]: nine of ten values "
                      "lie between low and high when the series goes "
                      "on as it was. See docs/queries.md.",
       .params = &forecast_params(),
       .reads_samples = true,
       .problems = {400, 404, 406, 503},
       .responses = {{200, "One entry a series, by id.", kJson, "ForecastResult"}}},
  };
}

}  // namespace sensus::api
