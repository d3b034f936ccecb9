#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/core/time.hpp"
#include "sensus/model/labels.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::model {

enum class AlertStatus { firing, resolved };
[[nodiscard]] std::string_view to_string(AlertStatus status);

/// One alert as a sender told it, validated; not yet an episode.
struct AlertArrival {
  AlertStatus status = AlertStatus::firing;
  Labels labels;  ///< Has a non-empty `alertname`.
  Labels annotations;
  Timestamp starts_at;
  std::optional<Timestamp> ends_at;  ///< Set exactly when resolved.
  std::string generator_url;
  std::string fingerprint;  ///< As given by the sender, else computed.
};

/// A bad alert of an otherwise good batch, kept with its original bytes.
struct QuarantinedAlert {
  std::string original;  ///< The bytes of this alert as received.
  std::string reason;    ///< What a person reads: field and rule.
  std::string code;      ///< One of kQuarantineCodes.
};
inline constexpr std::array<std::string_view, 10> kQuarantineCodes{
    "annotation_limit", "bad_status", "bad_text", "bad_timestamp", "bad_type",
    "duplicate_key", "ends_before_start", "label_limit", "missing_alertname", "timestamp_window"};

struct AlertBatch {
  std::vector<AlertArrival> arrivals;
  std::vector<QuarantinedAlert> quarantined;
  std::string receiver;              ///< Unquoted; empty for the seed's form.
  std::uint64_t truncated_alerts = 0;  ///< Alertmanager's truncatedAlerts.
};

/// One firing-to-resolved stretch of one label set: a row of `alerts`.
struct Episode {
  EpisodeId id = 0;
  AlertStatus status = AlertStatus::firing;
  Labels labels;
  Labels annotations;
  std::string alert_name;
  std::string severity;
  std::string description;
  std::string fingerprint;
  std::string generator_url;
  Timestamp starts_at;
  std::optional<Timestamp> ends_at;
  Timestamp created_at;
  Timestamp last_received_at;
  std::int64_t receive_count = 1;
};

/// What one arrival does to the newest known episode of its label set. Decided by `merge_arrival`.
enum class MergeAction {
  create,     ///< No episode covers it: a new row (firing, or already resolved).
  resolve,    ///< Closes the firing episode.
  reopen,     ///< The same episode fires again after the hold-down.
  refresh,    ///< A repeat: counts, annotations and the earliest start are kept up; no event.
};

/// The few facts of an episode that merging needs.
struct EpisodeState {
  AlertStatus status = AlertStatus::firing;
  Timestamp starts_at;
  std::optional<Timestamp> ends_at;
  Timestamp resolved_received_at;  ///< When the resolve arrived; meaningless while firing.
};

struct MergeDecision {
  MergeAction action = MergeAction::create;
  EpisodeState next;          ///< The episode's state afterwards.
  std::size_t episode = 0;    ///< Index into `known` for resolve, reopen, refresh.
};

inline constexpr std::chrono::seconds kReopenHoldDown{30};

/// Pure rule, following Alertmanager's semantics: the earliest start is kept, the latest resolve time wins, a start after the last
/// resolve is a new episode, a repeat of the same start within kReopenHoldDown of the resolve is ignored and later reopens, an
/// older resolve never closes a newer episode. Episodes stay disjoint: a merge is cut at its neighbours, and only the newest episode
/// reopens. Arrivals of one episode give the same result in any order. `known` holds this label set's episodes, newest start first.
/// **Pre**: `ends_at` is set exactly when resolved, and not before `starts_at`.
[[nodiscard]] MergeDecision merge_arrival(const std::vector<EpisodeState>& known, AlertStatus status,
                                          Timestamp starts_at, std::optional<Timestamp> ends_at, Timestamp received_at);

}  // namespace sensus::model
