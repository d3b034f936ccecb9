#pragma once

#include "sensus/model/alert.hpp"
#include "sensus/model/analysis.hpp"
#include "sensus/model/event.hpp"
#include "sensus/model/metadata.hpp"
#include "sensus/model/job.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::codec {

/// JSON of the model as the API shows it: keys in snake_case, times RFC 3339 UTC, labels as objects, absent = null.
/// These shapes are the schemas of /openapi.json.
[[nodiscard]] std::string render_labels(const model::Labels& labels);
[[nodiscard]] Result<model::Labels> parse_labels(std::string_view json);
/// What can be shown of labels that another hand wrote: values that are no strings as JSON, no labels of what is no object.
[[nodiscard]] model::Labels salvage_labels(std::string_view json);
[[nodiscard]] std::string render_episode(const model::Episode& episode);
[[nodiscard]] std::string render_anomaly(const model::Anomaly& anomaly);
/// `analysis_data` of the anomaly's row: all that is not a column.
[[nodiscard]] std::string render_anomaly_data(const model::Anomaly& anomaly);
[[nodiscard]] std::string render_analysis(const model::Analysis& analysis);
[[nodiscard]] std::string render_model_version(const model::ModelVersion& version);
/// Type, help and unit; the family is the key it stands under.
[[nodiscard]] std::string render_metadata(const model::MetricMetadata& metadata);
[[nodiscard]] std::string render_job(const model::Job& job);
/// `"text"` with quotes and escapes.
[[nodiscard]] std::string quote_json(std::string_view text);

/// Payload of an entry on the metrics topic: closed analysis steps.
struct StepPoint {
  SeriesId series_id = 0;
  Timestamp time;    ///< Start of the step.
  double value = 0;  ///< Mean of the step's samples.
};
struct StepBatch {
  TenantId tenant = kDefaultTenant;
  std::chrono::seconds step{60};
  std::vector<StepPoint> points;
};
[[nodiscard]] std::string render_step_batch(const StepBatch& batch);
[[nodiscard]] Result<StepBatch> parse_step_batch(std::string_view json);

/// Payload of an entry on the alerts topic: {"alert_id":..,"tenant":..,"change":"created|resolved|reopened","payload":{episode}}.
struct AlertEvent {
  TenantId tenant = kDefaultTenant;
  EpisodeId alert_id = 0;
  std::string change;
};
[[nodiscard]] std::string render_alert_event(TenantId tenant, std::string_view change, const model::Episode& episode);
[[nodiscard]] Result<AlertEvent> parse_alert_event(std::string_view json);

/// Opaque page cursor: base64url of version, time and id.
[[nodiscard]] std::string render_cursor(const model::PageKey& key);
[[nodiscard]] std::optional<model::PageKey> parse_cursor(std::string_view text);

}  // namespace sensus::codec
