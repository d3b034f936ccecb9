#include "series_scorer_internal.hpp"

#include "u64_internal.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace sensus::analysis {
namespace {

constexpr std::size_t kHeaderBytes = 1 + 1 + 8 + 8;

}  // namespace

SeriesKind kind_of(std::string_view metric_name, std::optional<model::MetricType> type) {
  const bool named = model::is_counter_name(metric_name);
  switch (type ? model::value_kind(metric_name, *type) : model::ValueKind::unknown) {
    case model::ValueKind::gauge: return SeriesKind::values;
    case model::ValueKind::cumulative: return named ? SeriesKind::counter : SeriesKind::counter_means;
    case model::ValueKind::unknown: break;
  }
  return named ? SeriesKind::counter : SeriesKind::values;
}

std::optional<double> SeriesScorer::value_of(Timestamp time, double value) {
  if (kind_ == SeriesKind::values) {
    return value;
  }
  const auto before = rate_.last();
  const std::optional<double> rate = rate_.update(time, value);
  // The mean of a step with a reset in it is no count of anything.
  const bool unknown = kind_ == SeriesKind::counter_means && before && value < before->value;
  return unknown ? std::nullopt : rate;
}

std::optional<SeriesScorer::Scored> SeriesScorer::update(Timestamp time, double value) {
  if (time <= last_time()) {
    return std::nullopt;
  }
  const std::optional<double> judged = value_of(time, value);
  if (!judged) {
    return std::nullopt;
  }
  return Scored{*judged, detector_->update(time, *judged), kind_ != SeriesKind::values};
}

Timestamp SeriesScorer::last_time() const {
  const auto counted = rate_.last();
  return counted ? std::max(counted->time, detector_->last_time()) : detector_->last_time();
}

std::string SeriesScorer::serialize() const {
  const auto counted = rate_.last();
  std::string out;
  out.push_back(static_cast<char>(kind_));
  out.push_back(counted ? '\1' : '\0');
  append_u64(out, counted ? static_cast<std::uint64_t>(to_unix_us(counted->time)) : 0);
  append_u64(out, counted ? std::bit_cast<std::uint64_t>(counted->value) : 0);
  return out.append(detector_->serialize());
}

Result<std::unique_ptr<SeriesScorer>> SeriesScorer::restore(SeriesKind kind, const ml::DetectorParams& params, std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || bytes[0] != static_cast<char>(kind)) {
    return make_error(Errc::corrupt, "the state is of a series of another kind");
  }
  SENSUS_TRY(auto detector, ml::restore_detector(params, bytes.substr(kHeaderBytes)));
  auto scorer = std::make_unique<SeriesScorer>(kind, std::move(detector));
  if (bytes[1] != '\0') {
    const double value = std::bit_cast<double>(read_u64(bytes.substr(10)));
    if (!std::isfinite(value)) {
      return make_error(Errc::corrupt, "the state counts from no number");
    }
    scorer->rate_.go_on_from({from_unix_us(static_cast<std::int64_t>(read_u64(bytes.substr(2)))), value});
  }
  return scorer;
}

}  // namespace sensus::analysis
