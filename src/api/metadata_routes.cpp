#include "operation_internal.hpp"

#include "sensus/codec/model_json.hpp"

namespace sensus::api {
namespace {

constexpr std::int64_t kLimitDefault = 1000;
constexpr std::int64_t kLimitMax = 10'000;  ///< About 3 MB of JSON.

const ParamSpecs& metadata_params() {
  static const ParamSpecs specs = {
      {.name = "metric",
       .help = "Only this metric family: that of a histogram's series `x_bucket` is `x`.",
       .example = "http_request_duration_seconds",
       .max = 255},
      {.name = "limit",
       .kind = ParamKind::integer,
       .help = "Families at most; `warnings` tells that there are more.",
       .example = "100",
       .default_text = "1000",
       .min = 1,
       .max = kLimitMax},
  };
  return specs;
}

std::string render_family(const model::MetricMetadata& family) {
  return codec::quote_json(family.family) + ":[" + codec::render_metadata(family) + "]";
}

/// The shape of Prometheus' own, so that its users' tools read it.
std::string render_families(const std::vector<model::MetricMetadata>& families, std::size_t limit) {
  std::string body = "{\"status\":\"success\",\"data\":{";
  const std::size_t shown = std::min(families.size(), limit);
  for (std::size_t i = 0; i < shown; ++i) {
    body += i == 0 ? "" : ",";
    body += render_family(families[i]);
  }
  body += "}";
  if (families.size() > limit) {
    body += ",\"warnings\":[\"there are more families than limit\"]";
  }
  return body + "}";
}

Reply list_metadata(State& state, const http::Request& request) {
  const auto query = QueryParams::parse(request, metadata_params());
  if (!query) {
    co_return http::to_response(query.error());
  }
  const auto limit = static_cast<std::size_t>(query->integer("limit").value_or(kLimitDefault));
  storage::MetadataQuery asked;
  asked.family = query->text("metric");
  asked.limit = limit + 1;  // One more tells whether there are more.
  auto listing = state.deps.metadata.list(request.deadline, kDefaultTenant, std::move(asked));
  const auto families = co_await std::move(listing);
  if (!families) {
    co_return http::to_response(families.error());
  }
  co_return reply_json(200, render_families(*families, limit));
}

}  // namespace

Operations metadata_operations() {
  return {
      {.pattern = "/api/v1/metadata",
       .handler = list_metadata,
       .id = "listMetadata",
       .tag = "series",
       .summary = "Type, unit and help of metric families",
       .description = "As senders gave them by remote-write, OTLP or the text format, in the shape "
                      "of Prometheus' API of this name. "
                      "What a sender says is there about a second after its samples.",
       .params = &metadata_params(),
       .problems = {400, 406, 503},
       .responses = {{200, "Families by name.", kJson, "MetadataResult"}}},
  };
}

}  // namespace sensus::api
