#pragma once

#include <cstdint>

namespace sensus {

/// The tenant that owns a row. One default tenant until accounts exist.
using TenantId = std::int32_t;
inline constexpr TenantId kDefaultTenant = 1;

using SeriesId = std::int32_t;    ///< series.id; positive.
using EpisodeId = std::int64_t;   ///< alerts.id
using AnalysisId = std::int64_t;  ///< ai_analysis_results.id
using EventId = std::int64_t;     ///< outbox.id: the identity of a published event.

}  // namespace sensus
