#pragma once

#include "sensus/core/result.hpp"
#include "sensus/model/alert.hpp"
#include "sensus/model/limits.hpp"

#include <string_view>

namespace sensus::codec {

/// POST /api/v1/alerts: the seed's array of alerts, or Alertmanager's webhook object version 4 (told apart by shape).
/// A body that is not such a document is an error and nothing of it is kept (malformed JSON, depth > 32, invalid UTF-8, NUL, version
/// other than "4", `alerts` missing). A single bad alert goes to `quarantined` with its original bytes; the rest is accepted.
/// Alertmanager: per-alert status only; endsAt 0001-01-01T00:00:00Z = none; receiver unquoted (`team\-x`); unknown fields ignored.
/// Seed's form: startsAt default now; firing unless status is "resolved" or endsAt is not after now. Labels with empty values are
/// dropped. Times are truncated to microseconds. A start without a time is the end, else `now`. The window is that of the start while
/// firing and of the end when resolved, whose start may be up to a year older. Pure.
/// **Errors**: invalid_input; too_large for more than 10,000 alerts.
[[nodiscard]] Result<model::AlertBatch> parse_alerts_json(std::string_view body, Timestamp now,
                                                          const model::InputLimits& limits);

}  // namespace sensus::codec
