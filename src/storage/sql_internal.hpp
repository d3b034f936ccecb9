#pragma once

#include "sensus/model/labels.hpp"
#include "sensus/pg/tx.hpp"
#include "sensus/storage/alerts.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sensus::storage {

/// A condition on a jsonb column of labels that takes the four parameters from $`first` on, as
/// `add_matchers` appends them. Text for statements that are put together once, at start; holds no
/// input.
[[nodiscard]] std::string matcher_condition(const std::string& column, int first);
void add_matchers(pg::Params& params, const std::vector<model::Matcher>& matchers);

/// Labels of a jsonb column. What this program cannot have written (somebody changed the row) is shown as far as it can be: one odd
/// row must not keep a list from its answer.
[[nodiscard]] model::Labels read_labels(const pg::Rows& rows, std::size_t row, std::size_t column);

[[nodiscard]] std::vector<std::uint8_t> to_bytes(const model::LabelsHash& hash);
[[nodiscard]] model::LabelsHash read_hash(const pg::Rows& rows, std::size_t row,
                                          std::size_t column);

/// Adds (time, id) of the page before, or two NULLs.
void add_page_key(pg::Params& params, const std::optional<model::PageKey>& after);

/// Inserts events into the outbox, in order.
void store_events(pg::Tx& tx, TenantId tenant, const std::vector<model::NewEvent>& events);
/// For the rest of the transaction: statements on the outbox go by its indexes, whatever the
/// planner believes of its size. A queue is empty when it is analysed and has a million rows an hour
/// later; plans for the empty one read all of it for every batch.
void plan_for_a_queue(pg::Tx& tx);
/// Deletes outbox rows whose effect is in this transaction. Ids are put in order first, so that two
/// of these cannot deadlock.
void finish_events(pg::Tx& tx, std::vector<EventId> ids);

/// Turns limit + 1 rows that were read into a page of at most `limit`.
template <class T, class KeyOf>
Page<T> make_page(std::vector<T> items, std::size_t limit, KeyOf key_of) {
  Page<T> page;
  if (items.size() > limit) {
    items.resize(limit);
    page.next = key_of(items.back());
  }
  page.items = std::move(items);
  return page;
}

}  // namespace sensus::storage
