#include "sensus/codec/model_json.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

// The readers of payloads that this program wrote itself. They come back through Redis and PostgreSQL, so they are checked,
// but a failure means corruption or a newer version, not a sender's mistake.

namespace sensus::codec {
namespace {

using Json = nlohmann::json;

Error corrupt(std::string message, std::string field) {
  return make_error(Errc::corrupt, std::move(message), std::move(field));
}

Result<Json> parse_object(std::string_view text) {
  Json out = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (!out.is_object()) {
    return corrupt("is not a JSON object", "");
  }
  // Json converts to nearly everything, so the result must be told which side this is.
  return Result<Json>(boost::system::in_place_value, std::move(out));
}

template <class Int>
Result<Int> integer_of(const Json& value, const std::string& field, Int min) {
  if (value.is_number_unsigned() ? value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<Int>::max())
                                 : !value.is_number_integer()) {
    return corrupt("is not an integer in range", field);
  }
  const auto number = value.get<std::int64_t>();
  if (number < std::int64_t{min} || number > std::int64_t{std::numeric_limits<Int>::max()}) {
    return corrupt("is out of range", field);
  }
  return static_cast<Int>(number);
}

template <class Int>
Result<Int> member_integer(const Json& object, const char* name, Int min) {
  const auto at = object.find(name);
  if (at == object.end()) {
    return corrupt("is missing", name);
  }
  return integer_of<Int>(*at, name, min);
}

Result<StepPoint> point_of(const Json& value, const std::string& field) {
  if (!value.is_array() || value.size() != 3 || !value[2].is_number()) {
    return corrupt("is not [series, time_us, value]", field);
  }
  StepPoint out;
  SENSUS_TRY(out.series_id, integer_of<SeriesId>(value[0], field + "[0]", 1));
  SENSUS_TRY(const auto time_us, integer_of<std::int64_t>(value[1], field + "[1]", std::numeric_limits<std::int64_t>::min()));
  out.time = from_unix_us(time_us);
  out.value = value[2].get<double>();
  if (!std::isfinite(out.value)) {
    return corrupt("is not finite", field + "[2]");
  }
  return out;
}

}  // namespace

Result<model::Labels> parse_labels(std::string_view json) {
  SENSUS_TRY(const Json object, parse_object(json));
  model::Labels out;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_string()) {
      return corrupt("is not a string", name);
    }
    out.set(name, value.get<std::string>());
  }
  return out;
}

model::Labels salvage_labels(std::string_view json) {
  model::Labels out;
  const auto object = parse_object(json);
  if (!object) {
    return out;
  }
  for (const auto& [name, value] : object->items()) {
    out.set(name, value.is_string() ? value.get<std::string>()
                                    : value.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return out;
}

Result<StepBatch> parse_step_batch(std::string_view json) {
  SENSUS_TRY(const Json object, parse_object(json));
  StepBatch out;
  SENSUS_TRY(out.tenant, member_integer<TenantId>(object, "tenant", 1));
  SENSUS_TRY(const auto step_s, member_integer<std::int32_t>(object, "step_s", 0));
  out.step = std::chrono::seconds{step_s};
  const auto points = object.find("points");
  if (points == object.end() || !points->is_array()) {
    return corrupt("is not an array", "points");
  }
  out.points.reserve(points->size());
  for (const Json& point : *points) {
    SENSUS_TRY(StepPoint one, point_of(point, "points[" + std::to_string(out.points.size()) + "]"));
    out.points.push_back(one);
  }
  return out;
}

Result<AlertEvent> parse_alert_event(std::string_view json) {
  SENSUS_TRY(const Json object, parse_object(json));
  AlertEvent out;
  SENSUS_TRY(out.alert_id, member_integer<EpisodeId>(object, "alert_id", 1));
  SENSUS_TRY(out.tenant, member_integer<TenantId>(object, "tenant", 1));
  const auto change = object.find("change");
  if (change == object.end() || !change->is_string()) {
    return corrupt("is not a string", "change");
  }
  out.change = change->get<std::string>();
  return out;
}

}  // namespace sensus::codec
