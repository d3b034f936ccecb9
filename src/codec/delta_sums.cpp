#include "sensus/codec/delta_sums.hpp"

#include <cmath>
#include <cstring>
#include <utility>

namespace sensus::codec {

std::size_t DeltaSums::Hash::operator()(const model::LabelsHash& hash) const {
  std::size_t out = 0;
  std::memcpy(&out, hash.bytes, sizeof(out));
  return out;
}

DeltaSums::Added DeltaSums::add(const model::SampleBatch& increments, model::SampleBatch& totals) {
  Added added;
  for (const model::SampleBatch::Row& row : increments.rows()) {
    const std::string_view key = increments.key(row);
    Sum& sum = find(model::hash_series_key(key), added);
    if (row.time < sum.last) {
      ++added.late;
      continue;
    }
    if (row.time > sum.last) {
      sum.last = row.time;
      sum.total += row.value;
      if (!std::isfinite(sum.total)) {
        sum.total = row.value;  // Full: begins again, as after a restart.
      }
    }
    totals.append(key, row.time, sum.total);
  }
  return added;
}

DeltaSums::Sum& DeltaSums::find(const model::LabelsHash& series, Added& added) {
  if (const auto known = recent_.find(series); known != recent_.end()) {
    return known->second;
  }
  Sum sum{Timestamp::min(), 0};
  if (const auto known = older_.find(series); known != older_.end()) {
    sum = known->second;
    older_.erase(known);
  }
  if (recent_.size() >= half_) {
    added.forgotten += older_.size();
    older_ = std::exchange(recent_, {});
  }
  return recent_.emplace(series, sum).first->second;
}

}  // namespace sensus::codec
