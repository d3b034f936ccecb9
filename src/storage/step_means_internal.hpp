#pragma once

#include "sensus/pg/tx.hpp"
#include "sensus/storage/samples.hpp"

#include "storage/sample_reader_internal.hpp"

#include <chrono>
#include <vector>

namespace sensus::storage {

/// SampleStore::step_means.
[[nodiscard]] Result<std::vector<SampleStore::StepMeans>> load_step_means(pg::Tx& tx, TenantId tenant, std::vector<SeriesId> ids,
                                                                          TimeSpan span, std::chrono::seconds step);

/// Sets `is_counter` by the names of their series.
void mark_counters(pg::Tx& tx, TenantId tenant, std::vector<SampleStore::RawSample>& samples);

}  // namespace sensus::storage
