#include "fuzz.hpp"

#include "sensus/codec/alerts_json.hpp"

#include <algorithm>

using namespace sensus;

namespace {

void check(const model::AlertArrival& arrival, const model::InputLimits& limits) {
  SENSUS_ASSERT(!arrival.labels.get("alertname").empty());
  SENSUS_ASSERT(model::check_labels(arrival.labels, limits, "l") && model::check_annotations(arrival.annotations, limits, "a"));
  SENSUS_ASSERT((arrival.status == model::AlertStatus::resolved) == arrival.ends_at.has_value());
  SENSUS_ASSERT(!arrival.ends_at || *arrival.ends_at >= arrival.starts_at);
  SENSUS_ASSERT(arrival.fingerprint.size() == 16 && is_utf8(arrival.generator_url));
  // What storage does next must hold for every arrival.
  const auto decision = model::merge_arrival({}, arrival.status, arrival.starts_at, arrival.ends_at, fuzz::now());
  SENSUS_ASSERT(decision.action == model::MergeAction::create);
}

void check(const model::QuarantinedAlert& bad, std::string_view body) {
  SENSUS_ASSERT(body.find(bad.original) != std::string_view::npos);
  SENSUS_ASSERT(!bad.reason.empty() && is_utf8(bad.reason) && bad.reason.size() < 2000);
  SENSUS_ASSERT(std::find(model::kQuarantineCodes.begin(), model::kQuarantineCodes.end(), bad.code) != model::kQuarantineCodes.end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view body = fuzz::text_of(bytes, size);
  const model::InputLimits limits;
  const auto result = codec::parse_alerts_json(body, fuzz::now(), limits);
  if (!result) {
    SENSUS_ASSERT(result.error().code == Errc::invalid_input || result.error().code == Errc::too_large);
    fuzz::check_error(result.error());
    return 0;
  }
  for (const auto& arrival : result->arrivals) {
    check(arrival, limits);
  }
  for (const auto& bad : result->quarantined) {
    check(bad, body);
  }
  return 0;
}
