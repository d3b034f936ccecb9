#pragma once

#include "sensus/storage/outbox.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace sensus::relay::test {

/// The outbox's rules over a map. `broken` makes every statement fail.
class FakeOutbox final : public storage::Outbox {
 public:
  struct Row {
    model::Event event;
    std::string stream_id;
    bool claimed = false;
    bool published = false;
  };
  std::map<EventId, Row> rows;
  bool broken = false;
  int claims = 0;
  int releases = 0;

  void add(EventId id, model::Topic topic = model::Topic::alerts) {
    Row row;
    row.event.id = id;
    row.event.topic = topic;
    row.event.type = "alert";
    row.event.payload = "{}";
    rows.emplace(id, row);
  }
  [[nodiscard]] std::size_t count_published() const {
    return static_cast<std::size_t>(std::count_if(
        rows.begin(), rows.end(), [](const auto& row) { return row.second.published; }));
  }

  runtime::Async<std::vector<model::Event>> claim(Deadline, std::size_t limit,
                                                  std::chrono::milliseconds) override {
    ++claims;
    if (broken) {
      co_return away();
    }
    std::vector<model::Event> events;
    for (auto& [id, row] : rows) {
      if (!row.published && !row.claimed && events.size() < limit) {
        row.claimed = true;
        events.push_back(row.event);
      }
    }
    co_return events;
  }
  runtime::Async<> mark_published(Deadline, std::vector<Published> done) override {
    if (broken) {
      co_return away();
    }
    for (const Published& one : done) {
      rows[one.id].published = true;
      rows[one.id].stream_id = one.stream_id;
    }
    co_return Result<>{};
  }
  runtime::Async<> release(Deadline, std::vector<EventId> ids, std::chrono::milliseconds) override {
    ++releases;
    for (const EventId id : ids) {
      rows[id].claimed = false;
    }
    co_return Result<>{};
  }
  runtime::Async<> defer(Deadline, EventId id, std::string, std::chrono::milliseconds) override {
    unpublish(rows[id]);
    co_return Result<>{};
  }
  runtime::Async<std::vector<Published>> unfinished(Deadline, std::chrono::milliseconds,
                                                    std::size_t limit) override {
    std::vector<Published> found;
    for (const auto& [id, row] : rows) {
      if (row.published && found.size() < limit) {
        found.push_back(Published{id, row.event.topic, row.stream_id});
      }
    }
    co_return found;
  }
  runtime::Async<std::size_t> republish(Deadline, std::vector<EventId> ids) override {
    for (const EventId id : ids) {
      unpublish(rows[id]);
    }
    co_return ids.size();
  }
  runtime::Async<std::size_t> republish_topic(Deadline, model::Topic topic) override {
    if (broken) {
      co_return away();
    }
    std::size_t count = 0;
    for (auto& [id, row] : rows) {
      if (row.event.topic == topic && row.published) {
        unpublish(row);
        ++count;
      }
    }
    co_return count;
  }
  runtime::Async<> finish(Deadline, std::vector<EventId> ids) override {
    for (const EventId id : ids) {
      rows.erase(id);
    }
    co_return Result<>{};
  }
  runtime::Async<Stats> stats(Deadline) override {
    Stats stats;
    stats.unfinished = static_cast<std::int64_t>(count_published());
    stats.pending = static_cast<std::int64_t>(rows.size()) - stats.unfinished;
    stats.oldest_age_s = stats.pending > 0 ? 12.5 : 0;
    co_return stats;
  }

 private:
  static Error away() { return make_error(Errc::unavailable, "PostgreSQL is away"); }
  static void unpublish(Row& row) {
    row.published = false;
    row.claimed = false;
  }
};

}  // namespace sensus::relay::test
