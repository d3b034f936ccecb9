#pragma once

#include "sensus/model/alert.hpp"
#include "sensus/model/event.hpp"
#include "sensus/pg/database.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sensus::storage {

struct AlertOutcome {
  EpisodeId id = 0;
  model::MergeAction action = model::MergeAction::create;  ///< refresh = duplicate.
};

struct AlertFilter {
  std::optional<model::AlertStatus> status;
  std::string severity;   ///< Empty = any.
  std::string alert_name;
  std::vector<model::Matcher> matchers;
  std::optional<Timestamp> from;  ///< Episodes that overlap [from, to).
  std::optional<Timestamp> to;
  std::size_t limit = 50;
  std::optional<model::PageKey> after;  ///< (starts_at, id) of the last row of the page before.
};

template <class T>
struct Page {
  std::vector<T> items;
  std::optional<model::PageKey> next;  ///< Set when there are more.
};

class AlertStore {
 public:
  virtual ~AlertStore() = default;
  /// One transaction: episodes merged by model::merge_arrival (under row locks; concurrent senders of the same alerts converge), one outbox
  /// row on `alerts` and one on `events` for each create, resolve and reopen, and the quarantined alerts. Outcomes are in the order of
  /// `batch.arrivals`; duplicates inside the batch collapse.
  [[nodiscard]] virtual runtime::Async<std::vector<AlertOutcome>> store(Deadline deadline, TenantId tenant, model::AlertBatch batch,
                                                                       Timestamp received_at) = 0;
  [[nodiscard]] virtual runtime::Async<Page<model::Episode>> list(Deadline deadline, TenantId tenant, AlertFilter filter) = 0;
  /// `not_found` when there is none.
  [[nodiscard]] virtual runtime::Async<model::Episode> get(Deadline deadline, TenantId tenant, EpisodeId id) = 0;
  /// Other episodes that overlap [from, to), newest first.
  [[nodiscard]] virtual runtime::Async<std::vector<model::Episode>> overlapping(Deadline deadline, TenantId tenant, EpisodeId except,
                                                                               Timestamp from, Timestamp to, std::size_t limit) = 0;
  struct Recurrence {
    std::int64_t episodes_24h = 0;  ///< Earlier episodes of the same label set.
    std::int64_t episodes_30d = 0;
    std::optional<Timestamp> previous_start;
    std::optional<Timestamp> previous_end;
  };
  [[nodiscard]] virtual runtime::Async<Recurrence> recurrence(Deadline deadline, TenantId tenant, EpisodeId id) = 0;
};
[[nodiscard]] std::unique_ptr<AlertStore> make_alert_store(pg::Database& database);

}  // namespace sensus::storage
