#pragma once

#include "sensus/model/event.hpp"
#include "sensus/pg/database.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sensus::storage {

/// Rows that must reach Redis. A row is claimed, published, and lives until its group has committed its effect (AnalysisStore, or `finish`);
/// rows of topics without a group go when published. Order of ids is not order of commits: pages go by the claim, never by "id > last".
class Outbox {
 public:
  virtual ~Outbox() = default;
  /// Takes up to `limit` unpublished rows for `lease` (FOR UPDATE SKIP LOCKED), oldest first; counts the attempt.
  [[nodiscard]] virtual runtime::Async<std::vector<model::Event>> claim(Deadline deadline, std::size_t limit, std::chrono::milliseconds lease) = 0;
  struct Published {
    EventId id = 0;
    model::Topic topic = model::Topic::events;
    std::string stream_id;  ///< Redis entry id.
  };
  /// Entries that were deferred already are left as they are.
  [[nodiscard]] virtual runtime::Async<> mark_published(Deadline deadline, std::vector<Published> rows) = 0;
  /// Gives claimed rows back, to be claimed again after `retry_after`.
  [[nodiscard]] virtual runtime::Async<> release(Deadline deadline, std::vector<EventId> ids, std::chrono::milliseconds retry_after) = 0;
  /// From the consumer of entry `stream_id`, which acknowledges it next: the row is to be published again after `rest`. Holds whichever comes
  /// first, this or the relay's mark of that entry; a row that was published as another entry meanwhile is left to that one.
  [[nodiscard]] virtual runtime::Async<> defer(Deadline deadline, EventId id, std::string stream_id, std::chrono::milliseconds rest) = 0;
  /// Published longer than `older_than` ago and not finished, oldest first: what the reconciler checks.
  [[nodiscard]] virtual runtime::Async<std::vector<Published>> unfinished(Deadline deadline, std::chrono::milliseconds older_than, std::size_t limit) = 0;
  /// Makes rows unpublished again. Returns how many.
  [[nodiscard]] virtual runtime::Async<std::size_t> republish(Deadline deadline, std::vector<EventId> ids) = 0;
  [[nodiscard]] virtual runtime::Async<std::size_t> republish_topic(Deadline deadline, model::Topic topic) = 0;
  /// For an entry whose effect is nothing.
  [[nodiscard]] virtual runtime::Async<> finish(Deadline deadline, std::vector<EventId> ids) = 0;
  struct Stats {
    std::int64_t pending = 0;    ///< Not published.
    std::int64_t unfinished = 0; ///< Published, effect not committed.
    double oldest_age_s = 0;     ///< Of the pending ones.
  };
  [[nodiscard]] virtual runtime::Async<Stats> stats(Deadline deadline) = 0;
};
[[nodiscard]] std::unique_ptr<Outbox> make_outbox(pg::Database& database);

/// Entries given up after too many deliveries.
class DeadLetters {
 public:
  virtual ~DeadLetters() = default;
  /// Keeps the event with group and reason, and finishes its outbox row, in one transaction. Idempotent.
  [[nodiscard]] virtual runtime::Async<> store(Deadline deadline, TenantId tenant, model::Event event, std::string group,
                                               std::int64_t deliveries, std::string reason) = 0;
};
[[nodiscard]] std::unique_ptr<DeadLetters> make_dead_letters(pg::Database& database);

}  // namespace sensus::storage
