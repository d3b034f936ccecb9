#include "storage/step_means_internal.hpp"

#include "sensus/model/metadata.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace sensus::storage {
namespace {

using pg::Params;
using pg::Rows;
using pg::Tx;

constexpr std::string_view kNamesById = "select s.id, s.metric_name from sensus.series s where s.tenant_id = $1::int and s.id = any($2::int[])";

/// Those whose names are counters', ascending.
std::vector<SeriesId> counters_among(Tx& tx, TenantId tenant, const std::vector<SeriesId>& ids) {
  const Rows rows = tx.exec(kNamesById, Params().integer(tenant).integers({ids.begin(), ids.end()}));
  std::vector<SeriesId> counters;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (model::is_counter_name(rows.text(i, 1))) {
      counters.push_back(static_cast<SeriesId>(rows.integer(i, 0)));
    }
  }
  std::ranges::sort(counters);
  return counters;
}

}  // namespace

/// Steps begin at multiples of the step since 1970. Detectors know finite numbers only.
Result<std::vector<SampleStore::StepMeans>> load_step_means(Tx& tx, TenantId tenant, std::vector<SeriesId> ids, TimeSpan span,
                                                            std::chrono::seconds step) {
  std::vector<SampleStore::StepMeans> means;
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  if (ids.empty() || span.from >= span.to) {
    return means;
  }
  struct Running {
    std::int64_t step = 0;
    long double total = 0;
    double last = 0;
    std::uint64_t samples = 0;
    bool is_counter = false;
    std::vector<model::Sample> points;
  };
  std::vector<Running> running(ids.size());
  const std::vector<SeriesId> counters = counters_among(tx, tenant, ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    running[i].is_counter = std::ranges::binary_search(counters, ids[i]);
  }
  const std::int64_t step_us = std::chrono::microseconds{step}.count();
  const auto close = [step_us](Running& one) {
    if (one.samples > 0) {
      const long double mean = one.total / static_cast<long double>(one.samples);
      one.points.push_back({from_unix_us(one.step * step_us), one.is_counter ? one.last : static_cast<double>(mean)});
    }
  };
  const TakeSamples take = [&](std::size_t index, std::span<const TimedValue> samples) {
    Running& one = running[index];
    for (const TimedValue& sample : samples) {
      if (!std::isfinite(sample.value)) {
        continue;
      }
      if (const std::int64_t at = sample.time_us / step_us; at != one.step) {
        close(one);
        one.step = at;
        one.total = 0;
        one.samples = 0;
      }
      one.total += static_cast<long double>(sample.value);
      one.last = sample.value;
      ++one.samples;
    }
  };
  SampleReader reader(tx, tenant, std::numeric_limits<std::size_t>::max());
  SENSUS_TRY_VOID(reader.read(ids, span, take));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    close(running[i]);
    if (!running[i].points.empty()) {
      means.push_back({ids[i], std::move(running[i].points)});
    }
  }
  return means;
}

void mark_counters(Tx& tx, TenantId tenant, std::vector<SampleStore::RawSample>& samples) {
  std::vector<SeriesId> ids;
  for (const SampleStore::RawSample& raw : samples) {
    ids.push_back(raw.series);
  }
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  if (ids.empty()) {
    return;
  }
  const std::vector<SeriesId> counters = counters_among(tx, tenant, ids);
  for (SampleStore::RawSample& raw : samples) {
    raw.is_counter = std::ranges::binary_search(counters, raw.series);
  }
}

}  // namespace sensus::storage
