#include "sensus/codec/model_json.hpp"

#include "json_writer_internal.hpp"

namespace sensus::codec {
namespace {

/// Embedded JSON made by our own modules; nothing there shows as an empty object.
std::string_view object_or_empty(const std::string& json) { return json.empty() ? std::string_view("{}") : std::string_view(json); }

void write_episode(JsonWriter& out, const model::Episode& e) {
  out.begin_object()
      .member("id", e.id)
      .member("status", model::to_string(e.status))
      .member("alert_name", std::string_view(e.alert_name))
      .member("severity", std::string_view(e.severity))
      .member("description", std::string_view(e.description))
      .member("labels", e.labels)
      .member("annotations", e.annotations)
      .member("fingerprint", std::string_view(e.fingerprint))
      .member("generator_url", std::string_view(e.generator_url))
      .member("starts_at", e.starts_at)
      .member("ends_at", e.ends_at)
      .member("created_at", e.created_at)
      .member("last_received_at", e.last_received_at)
      .member("receive_count", e.receive_count)
      .end_object();
}

}  // namespace

std::string render_labels(const model::Labels& labels) { return JsonWriter().value(labels).take(); }

std::string render_episode(const model::Episode& episode) {
  JsonWriter out;
  write_episode(out, episode);
  return out.take();
}

std::string render_anomaly(const model::Anomaly& a) {
  return JsonWriter()
      .begin_object()
      .member("id", a.id)
      .member("series_id", a.series_id)
      .member("metric_name", std::string_view(a.metric_name))
      .member("labels", a.labels)
      .member("time", a.time)
      .member("value", a.value)
      .member("expected", a.expected)
      .member("score", a.score)
      .member("threshold", a.threshold)
      .member("model_version", std::string_view(a.model_version))
      .member_raw("features", object_or_empty(a.features_json))
      .member("kind", std::string_view(a.kind))
      .member("tier", std::string_view(a.tier))
      .member("band_low", a.band_low)
      .member("band_high", a.band_high)
      .member("evidence", a.evidence)
      .member("since", a.since)
      .member("rate", a.is_rate)
      .member_raw("contributions", a.contributions_json.empty() ? std::string_view("[]") : std::string_view(a.contributions_json))
      .end_object()
      .take();
}

std::string render_anomaly_data(const model::Anomaly& a) {
  return JsonWriter()
      .begin_object()
      .member("value", a.value)
      .member("expected", a.expected)
      .member("threshold", a.threshold)
      .member_raw("features", object_or_empty(a.features_json))
      .member("kind", std::string_view(a.kind))
      .member("tier", std::string_view(a.tier))
      .member("band_low", a.band_low)
      .member("band_high", a.band_high)
      .member("evidence", a.evidence)
      .member("since", a.since)
      .member("rate", a.is_rate)
      .member_raw("contributions", a.contributions_json.empty() ? std::string_view("[]") : std::string_view(a.contributions_json))
      .end_object()
      .take();
}

std::string render_analysis(const model::Analysis& a) {
  return JsonWriter()
      .begin_object()
      .member("id", a.id)
      .member("alert_id", a.alert_id)
      .member("series_id", a.series_id)
      .member("analysis_type", model::to_string(a.type))
      .member("model_name", std::string_view(a.model_name))
      .member_raw("analysis_data", object_or_empty(a.data_json))
      .member("confidence_score", a.confidence)
      .member("created_at", a.created_at)
      .end_object()
      .take();
}

std::string render_model_version(const model::ModelVersion& v) {
  return JsonWriter()
      .begin_object()
      .member("id", v.id)
      .member("version", std::string_view(v.version))
      .member("algorithm", std::string_view(v.algorithm))
      .member_raw("parameters", object_or_empty(v.parameters_json))
      .member("training_date", v.training_date)
      .member("is_active", v.is_active)
      .member("is_pinned", v.is_pinned)
      .member("profile", std::string_view(v.profile))
      .member("training_from", v.training_from)
      .member("training_to", v.training_to)
      .member_raw("quality", object_or_empty(v.quality_json))
      .member("checksum", std::string_view(v.checksum))
      .end_object()
      .take();
}

std::string render_job(const model::Job& job) {
  return JsonWriter()
      .begin_object()
      .member("id", job.id)
      .member("kind", model::to_string(job.kind))
      .member("state", model::to_string(job.state))
      .member("progress", job.progress)
      .member_raw("parameters", object_or_empty(job.parameters_json))
      .member("due_at", job.due_at)
      .member("created_at", job.created_at)
      .member("started_at", job.started_at)
      .member("finished_at", job.finished_at)
      .member_raw("result", job.result_json.empty() ? std::string_view("null") : std::string_view(job.result_json))
      .member("error", job.error.empty() ? std::nullopt : std::optional<std::string_view>(job.error))
      .end_object()
      .take();
}

std::string render_metadata(const model::MetricMetadata& metadata) {
  return JsonWriter()
      .begin_object()
      .member("type", model::to_string(metadata.type))
      .member("help", std::string_view(metadata.help))
      .member("unit", std::string_view(metadata.unit))
      .end_object()
      .take();
}

std::string render_step_batch(const StepBatch& batch) {
  JsonWriter out;
  out.reserve(64 + batch.points.size() * 48);
  out.begin_object().member("tenant", batch.tenant).member("step_s", batch.step.count()).key("points").begin_array();
  for (const StepPoint& point : batch.points) {
    out.begin_array().value(point.series_id).value(to_unix_us(point.time)).value(point.value).end_array();
  }
  return out.end_array().end_object().take();
}

std::string render_alert_event(TenantId tenant, std::string_view change, const model::Episode& episode) {
  JsonWriter out;
  out.begin_object().member("alert_id", episode.id).member("tenant", tenant).member("change", change).key("payload");
  write_episode(out, episode);
  return out.end_object().take();
}

}  // namespace sensus::codec
