#include "sensus/storage/outbox.hpp"

#include "storage/sql_internal.hpp"

#include <algorithm>

namespace sensus::storage {
namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;

model::Topic read_topic(std::string_view text) {
  return model::parse_topic(text).value_or(model::Topic::events);
}

constexpr std::string_view kClaim =
    "with taken as (select tenant_id, id from sensus.outbox where published_at is null and next_at "
    "<= now() order by id limit $1::bigint "
    "for update skip locked) "
    "update sensus.outbox o set next_at = now() + make_interval(secs => $2::float8 / 1000), "
    "attempts = o.attempts + 1 from taken t "
    "where o.tenant_id = t.tenant_id and o.id = t.id returning o.id, o.topic, o.type, o.payload, "
    "o.created_at";

// Rows without a group have nobody to wait for.
constexpr std::string_view kDeletePublished =
    "delete from sensus.outbox o using (select tenant_id, id from sensus.outbox where id = "
    "any($1::bigint[]) order by id for update) d "
    "where o.tenant_id = d.tenant_id and o.id = d.id";
constexpr std::string_view kMarkPublished =
    "update sensus.outbox o set published_at = now(), stream_id = p.stream_id "
    "from unnest($1::bigint[], $2::text[]) p(id, stream_id) where o.id = p.id and o.published_at "
    "is null and o.stream_id is distinct from p.stream_id";

// A consumer may be quicker than the relay's mark. An unpublished row with a stream_id says: that
// entry is dealt with already, so a mark that comes late must not count.
constexpr std::string_view kDefer =
    "update sensus.outbox set published_at = null, stream_id = $2, next_at = now() + "
    "make_interval(secs => $3::float8 / 1000) "
    "where id = $1::bigint and (published_at is null or stream_id = $2)";

constexpr std::string_view kRelease =
    "update sensus.outbox set next_at = now() + make_interval(secs => $2::float8 / 1000) "
    "where id = any($1::bigint[]) and published_at is null";

constexpr std::string_view kUnfinished =
    "select id, topic, coalesce(stream_id, '') from sensus.outbox "
    "where published_at is not null and published_at < now() - make_interval(secs => $1::float8 / "
    "1000) "
    "order by published_at, id limit $2::bigint";

constexpr std::string_view kRepublish =
    "update sensus.outbox set published_at = null, stream_id = null, next_at = now() "
    "where id = any($1::bigint[]) and published_at is not null";
constexpr std::string_view kRepublishTopic =
    "update sensus.outbox set published_at = null, stream_id = null, next_at = now() where topic = "
    "$1 and published_at is not null";

// Counting is bounded: past a million the number says nothing new and costs the database.
constexpr std::string_view kStats =
    // Requests to an LLM that is away rest here on purpose; they are not a sign that Redis takes nothing.
    "with waiting as (select id, created_at from sensus.outbox where published_at is null "
    "and not (topic = 'explanations' and next_at > now())) "
    "select (select count(*) from (select from waiting limit 1000000) p), "
    "(select count(*) from (select from sensus.outbox where published_at is not null limit "
    "1000000) u), "
    "coalesce(extract(epoch from now() - (select created_at from waiting order by id limit 1)), "
    "0)::float8";

/// As plan_for_a_queue, and nothing is sorted: the claim follows the index of what is pending and
/// ends at its limit.
void use_indexes_in_order(Tx& tx) {
  plan_for_a_queue(tx);
  (void)tx.exec(
      "select set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true)");
}

class PgOutbox final : public Outbox {
 public:
  explicit PgOutbox(pg::Database& database) : database_(database) {}

  runtime::Async<std::vector<model::Event>> claim(Deadline deadline, std::size_t limit,
                                                  std::chrono::milliseconds lease) override {
    using Events = std::vector<model::Event>;
    std::function<Result<Events>(Tx&)> job = [limit, lease](Tx& tx) -> Result<Events> {
      use_indexes_in_order(tx);
      const Rows rows = tx.exec(
          kClaim, Params().integer(static_cast<std::int64_t>(limit)).integer(lease.count()));
      Events events;
      events.reserve(rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        events.push_back({rows.integer(i, 0), read_topic(rows.text(i, 1)),
                          std::string(rows.text(i, 2)), std::string(rows.text(i, 3)),
                          rows.time(i, 4)});
      }
      std::ranges::sort(events, {}, &model::Event::id);
      return events;
    };
    auto events = co_await database_.transact<Events>(deadline, Access::read_write, std::move(job));
    co_return events;
  }

  runtime::Async<> mark_published(Deadline deadline, std::vector<Published> rows) override {
    std::vector<EventId> done;
    std::vector<EventId> waiting;
    std::vector<std::string> stream_ids;
    std::ranges::sort(rows, {}, &Published::id);
    for (Published& row : rows) {
      if (model::has_group(row.topic)) {
        waiting.push_back(row.id);
        stream_ids.push_back(std::move(row.stream_id));
      } else {
        done.push_back(row.id);
      }
    }
    std::function<Result<>(Tx&)> job = [done = std::move(done), waiting = std::move(waiting),
                                        stream_ids = std::move(stream_ids)](Tx& tx) -> Result<> {
      plan_for_a_queue(tx);
      if (!waiting.empty()) {
        (void)tx.exec(kMarkPublished, Params().integers(waiting).texts(stream_ids));
      }
      if (!done.empty()) {
        (void)tx.exec(kDeletePublished, Params().integers(done));
      }
      return {};
    };
    auto marked = co_await database_.transact<void>(deadline, Access::read_write, std::move(job));
    co_return marked;
  }

  runtime::Async<> release(Deadline deadline, std::vector<EventId> ids,
                           std::chrono::milliseconds retry_after) override {
    std::function<Result<>(Tx&)> job = [ids = std::move(ids), retry_after](Tx& tx) -> Result<> {
      plan_for_a_queue(tx);
      (void)tx.exec(kRelease, Params().integers(ids).integer(retry_after.count()));
      return {};
    };
    auto released = co_await database_.transact<void>(deadline, Access::read_write, std::move(job));
    co_return released;
  }

  runtime::Async<> defer(Deadline deadline, EventId id, std::string stream_id,
                         std::chrono::milliseconds rest) override {
    std::function<Result<>(Tx&)> job = [id, stream_id = std::move(stream_id),
                                        rest](Tx& tx) -> Result<> {
      plan_for_a_queue(tx);
      (void)tx.exec(kDefer, Params().integer(id).text(stream_id).integer(rest.count()));
      return {};
    };
    auto deferred = co_await database_.transact<void>(deadline, Access::read_write, std::move(job));
    co_return deferred;
  }

  runtime::Async<std::vector<Published>> unfinished(Deadline deadline,
                                                    std::chrono::milliseconds older_than,
                                                    std::size_t limit) override {
    using Rowset = std::vector<Published>;
    std::function<Result<Rowset>(Tx&)> job = [older_than, limit](Tx& tx) -> Result<Rowset> {
      const Rows rows =
          tx.exec(kUnfinished,
                  Params().integer(older_than.count()).integer(static_cast<std::int64_t>(limit)));
      Rowset found;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        found.push_back(
            {rows.integer(i, 0), read_topic(rows.text(i, 1)), std::string(rows.text(i, 2))});
      }
      return found;
    };
    auto found = co_await database_.transact<Rowset>(deadline, Access::read_only, std::move(job));
    co_return found;
  }

  runtime::Async<std::size_t> republish(Deadline deadline, std::vector<EventId> ids) override {
    std::function<Result<std::size_t>(Tx&)> job =
        [ids = std::move(ids)](Tx& tx) -> Result<std::size_t> {
      plan_for_a_queue(tx);
      return tx.exec(kRepublish, Params().integers(ids)).affected();
    };
    auto count =
        co_await database_.transact<std::size_t>(deadline, Access::read_write, std::move(job));
    co_return count;
  }

  runtime::Async<std::size_t> republish_topic(Deadline deadline, model::Topic topic) override {
    std::function<Result<std::size_t>(Tx&)> job = [topic](Tx& tx) -> Result<std::size_t> {
      return tx.exec(kRepublishTopic, Params().text(model::to_string(topic))).affected();
    };
    auto count =
        co_await database_.transact<std::size_t>(deadline, Access::read_write, std::move(job));
    co_return count;
  }

  runtime::Async<> finish(Deadline deadline, std::vector<EventId> ids) override {
    std::function<Result<>(Tx&)> job = [ids = std::move(ids)](Tx& tx) -> Result<> {
      finish_events(tx, ids);
      return {};
    };
    auto finished = co_await database_.transact<void>(deadline, Access::read_write, std::move(job));
    co_return finished;
  }

  runtime::Async<Stats> stats(Deadline deadline) override {
    std::function<Result<Stats>(Tx&)> job = [](Tx& tx) -> Result<Stats> {
      const Rows rows = tx.exec(kStats);
      return Stats{rows.integer(0, 0), rows.integer(0, 1), std::max(0.0, rows.number(0, 2))};
    };
    auto stats = co_await database_.transact<Stats>(deadline, Access::read_only, std::move(job));
    co_return stats;
  }

 private:
  pg::Database& database_;
};

class PgDeadLetters final : public DeadLetters {
 public:
  explicit PgDeadLetters(pg::Database& database) : database_(database) {}

  runtime::Async<> store(Deadline deadline, TenantId tenant, model::Event event, std::string group,
                         std::int64_t deliveries, std::string reason) override {
    std::function<Result<>(Tx&)> job = [tenant, event = std::move(event), group = std::move(group),
                                        deliveries,
                                        reason = std::move(reason)](Tx& tx) -> Result<> {
      (void)tx.exec(
          "insert into sensus.dead_letters (tenant_id, event_id, consumer_group, topic, type, "
          "payload, deliveries, reason, "
          "event_created_at) values ($1::int, $2::bigint, $3, $4, $5, $6, $7::bigint, $8, "
          "$9::timestamptz) on conflict do nothing",
          Params()
              .integer(tenant)
              .integer(event.id)
              .text(group)
              .text(model::to_string(event.topic))
              .text(event.type)
              .text(event.payload)
              .integer(deliveries)
              .text(reason)
              .time(event.created_at));
      finish_events(tx, {event.id});
      return {};
    };
    auto stored = co_await database_.transact<void>(deadline, Access::read_write, std::move(job));
    co_return stored;
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<Outbox> make_outbox(pg::Database& database) {
  return std::make_unique<PgOutbox>(database);
}
std::unique_ptr<DeadLetters> make_dead_letters(pg::Database& database) {
  return std::make_unique<PgDeadLetters>(database);
}

}  // namespace sensus::storage
