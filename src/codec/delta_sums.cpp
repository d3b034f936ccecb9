#include "sensus/codec/delta_sums.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace sensus::codec {

std::size_t DeltaSums::Hash::operator()(const model::LabelsHash& hash) const {
  std::size_t out = 0;
  std::memcpy(&out, hash.bytes, sizeof(out));
  return out;
}

std::vector<model::LabelsHash> DeltaSums::unknown(const model::SampleBatch& increments) const {
  std::vector<model::LabelsHash> out;
  for (const model::SampleBatch::Row& row : increments.rows()) {
    const model::LabelsHash series = model::hash_series_key(increments.key(row));
    if (!recent_.contains(series) && !older_.contains(series)) {
      out.push_back(series);
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void DeltaSums::seed(const model::LabelsHash& series, Timestamp last, double total) {
  if (!std::isfinite(total) || recent_.contains(series) || older_.contains(series)) {
    return;
  }
  Added ignored;  // What makes room here is noticed when it comes again.
  find(series, ignored) = {last, total};
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
