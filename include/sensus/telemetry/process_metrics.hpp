#pragma once

#include "sensus/telemetry/log.hpp"
#include "sensus/telemetry/metrics.hpp"

#include <string_view>

namespace sensus::telemetry {

/// Registers `process_*` (resident and virtual memory, open and maximal descriptors, threads, CPU seconds, start time), read from /proc
/// before each render, and `sensus_build_info{version,compiler} 1`.
void register_process_metrics(Metrics& metrics, std::string_view version);

/// `sensus_log_lines_dropped_total`. **Lifetime**: the log system outlives the last render.
void register_log_metrics(Metrics& metrics, const LogSystem& logs);

}  // namespace sensus::telemetry
