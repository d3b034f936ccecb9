#include "sensus/codec/otlp.hpp"

#include "json_writer_internal.hpp"
#include "otlp_readers_internal.hpp"
#include "proto_writer_internal.hpp"

namespace sensus::codec {
namespace {

/// {1: number, 2: text}: the shape of ExportMetricsPartialSuccess and of Status.
std::string number_and_text(std::uint64_t number, std::string_view text) {
  ProtoWriter out;
  if (number != 0) {
    out.varint(1, number);
  }
  if (!text.empty()) {
    out.bytes(2, text);
  }
  return out.take();
}

}  // namespace

Result<OtlpMetrics> parse_otlp_metrics(std::string_view body, OtlpFormat format, Timestamp now,
                                       const model::InputLimits& limits,
                                       std::size_t batch_bytes_max) {
  otlp::Translator translator(now, limits, batch_bytes_max);
  SENSUS_TRY_VOID(format == OtlpFormat::protobuf ? otlp::read_protobuf(body, translator)
                                                 : otlp::read_json(body, translator));
  return translator.take();
}

std::string render_otlp_reply(OtlpFormat format, std::uint64_t rejected_points,
                              std::string_view message) {
  if (rejected_points == 0) {
    return format == OtlpFormat::json ? "{}" : "";
  }
  if (format == OtlpFormat::json) {
    JsonWriter out;
    out.begin_object().key("partialSuccess").begin_object();
    // 64-bit integers are strings in the JSON of protobuf.
    out.member("rejectedDataPoints", std::to_string(rejected_points))
        .member("errorMessage", message);
    out.end_object().end_object();
    return out.take();
  }
  return ProtoWriter().bytes(1, number_and_text(rejected_points, message)).take();
}

std::string render_otlp_status(OtlpFormat format, int code, std::string_view message) {
  if (format == OtlpFormat::protobuf) {
    return number_and_text(static_cast<std::uint64_t>(code), message);
  }
  JsonWriter out;
  out.begin_object().member("code", code).member("message", message).end_object();
  return out.take();
}

}  // namespace sensus::codec
