#include "integration/storage/store_fixture.hpp"

#include "sensus/storage/outbox.hpp"

#include <algorithm>

namespace sensus::test {
namespace {

void add_events(Store& s, const std::string& topic, int count) {
  (void)s.db.admin("insert into sensus.outbox (tenant_id, topic, type, payload) select 1, '" +
                   topic +
                   "', 'x', '{\"n\":' || n || '}' "
                   "from generate_series(1, " +
                   std::to_string(count) + ") n");
}

std::vector<EventId> ids_of(const std::vector<model::Event>& events) {
  std::vector<EventId> ids;
  for (const auto& event : events) {
    ids.push_back(event.id);
  }
  return ids;
}

std::vector<storage::Outbox::Published> published(const std::vector<model::Event>& events) {
  std::vector<storage::Outbox::Published> rows;
  for (const auto& event : events) {
    rows.push_back({event.id, event.topic, std::to_string(event.id) + "-0"});
  }
  return rows;
}

CORO_TEST(Outbox, ClaimedRowsAreLeasedAndComeBackAfterTheLease) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto outbox = storage::make_outbox(s.database);
  add_events(s, "alerts", 5);
  auto first = co_await outbox->claim(soon(), 3, 60'000ms);
  CO_ASSERT_OK(first);
  CO_ASSERT_EQ(first->size(), 3U);
  EXPECT_EQ(first->at(0).payload, "{\"n\":1}");
  EXPECT_EQ(first->at(0).topic, model::Topic::alerts);
  EXPECT_LT(first->at(0).id, first->at(1).id);
  auto second = co_await outbox->claim(soon(), 10, 0ms);
  CO_ASSERT_OK(second);
  EXPECT_EQ(second->size(), 2U) << "leased rows are left alone";
  auto third = co_await outbox->claim(soon(), 10, 0ms);
  CO_ASSERT_OK(third);
  EXPECT_EQ(third->size(), 2U) << "a lease that ended is taken again";
  auto released = co_await outbox->release(soon(), ids_of(*first), 0ms);
  CO_ASSERT_OK(released);
  auto again = co_await outbox->claim(soon(), 10, 60'000ms);
  CO_ASSERT_OK(again);
  EXPECT_EQ(again->size(), 5U);
  EXPECT_EQ(s.value("select max(attempts) from outbox"), "3");
}

CORO_TEST(Outbox, ALongQueueIsNotReadForEachBatch) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor, 1);
  auto outbox = storage::make_outbox(s.database);
  // What the planner knows is the empty queue of a quiet time.
  (void)s.value("analyze sensus.outbox");
  add_events(s, "alerts", 50'000);
  add_events(s, "events", 50'000);
  for (int round = 0; round < 10; ++round) {
    auto claimed = co_await outbox->claim(soon(), 100, 60'000ms);
    CO_ASSERT_OK(claimed);
    CO_ASSERT_EQ(claimed->size(), 100U);
    auto marked = co_await outbox->mark_published(soon(), published(*claimed));
    CO_ASSERT_OK(marked);
    auto finished = co_await outbox->finish(soon(), ids_of(*claimed));
    CO_ASSERT_OK(finished);
  }
  std::function<Result<std::int64_t>(pg::Tx&)> flush = [](pg::Tx& tx) -> Result<std::int64_t> {
    (void)tx.exec("select pg_stat_force_next_flush()");
    return 0;
  };
  auto flushed =
      co_await s.database.transact<std::int64_t>(soon(), pg::Access::read_only, std::move(flush));
  CO_ASSERT_OK(flushed);
  const std::string fetched = s.value(
      "select seq_tup_read + idx_tup_fetch from pg_stat_user_tables where relname = 'outbox'");
  EXPECT_LT(std::stoll(fetched), 50'000);
}

CORO_TEST(Outbox, ARowLivesUntilItsGroupIsDone) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto outbox = storage::make_outbox(s.database);
  add_events(s, "alerts", 2);
  add_events(s, "events", 2);
  auto claimed = co_await outbox->claim(soon(), 10, 60'000ms);
  CO_ASSERT_OK(claimed);
  CO_ASSERT_EQ(claimed->size(), 4U);
  auto marked = co_await outbox->mark_published(soon(), published(*claimed));
  CO_ASSERT_OK(marked);
  EXPECT_EQ(s.value("select string_agg(topic, ',') from outbox"), "alerts,alerts")
      << "events have no group to wait for";
  auto waiting = co_await outbox->unfinished(soon(), 0ms, 10);
  CO_ASSERT_OK(waiting);
  CO_ASSERT_EQ(waiting->size(), 2U);
  EXPECT_EQ(waiting->at(0).stream_id, std::to_string(waiting->at(0).id) + "-0");
  auto young = co_await outbox->unfinished(soon(), 60'000ms, 10);
  CO_ASSERT_OK(young);
  EXPECT_TRUE(young->empty());
  auto stats = co_await outbox->stats(soon());
  CO_ASSERT_OK(stats);
  EXPECT_EQ(stats->pending, 0);
  EXPECT_EQ(stats->unfinished, 2);
  EXPECT_EQ(stats->oldest_age_s, 0);
  auto finished = co_await outbox->finish(soon(), ids_of(*claimed));
  CO_ASSERT_OK(finished);
  EXPECT_EQ(s.value("select count(*) from outbox"), "0");
}

CORO_TEST(Outbox, RepublishedRowsAreClaimedAgain) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto outbox = storage::make_outbox(s.database);
  add_events(s, "alerts", 3);
  add_events(s, "metrics", 1);
  auto claimed = co_await outbox->claim(soon(), 10, 60'000ms);
  CO_ASSERT_OK(claimed);
  auto marked = co_await outbox->mark_published(soon(), published(*claimed));
  CO_ASSERT_OK(marked);
  std::vector<EventId> one(1, claimed->front().id);
  auto count = co_await outbox->republish(soon(), std::move(one));
  CO_ASSERT_OK(count);
  EXPECT_EQ(*count, 1U);
  auto rest = co_await outbox->republish_topic(soon(), model::Topic::alerts);
  CO_ASSERT_OK(rest);
  EXPECT_EQ(*rest, 2U);
  auto stats = co_await outbox->stats(soon());
  CO_ASSERT_OK(stats);
  EXPECT_EQ(stats->pending, 3);
  EXPECT_EQ(stats->unfinished, 1);
  EXPECT_GT(stats->oldest_age_s, 0);
  auto again = co_await outbox->claim(soon(), 10, 60'000ms);
  CO_ASSERT_OK(again);
  EXPECT_EQ(again->size(), 3U);
}

CORO_TEST(Outbox, ADeferredRowComesBackWhicheverOfDeferralAndMarkIsFirst) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto outbox = storage::make_outbox(s.database);
  add_events(s, "explanations", 2);
  auto claimed = co_await outbox->claim(soon(), 10, 60'000ms);
  CO_ASSERT_OK(claimed);
  CO_ASSERT_EQ(claimed->size(), 2U);
  const auto rows = published(*claimed);
  std::vector<storage::Outbox::Published> early(1, rows[0]);
  std::vector<storage::Outbox::Published> late(1, rows[1]);
  auto first = co_await outbox->mark_published(soon(), std::move(early));
  CO_ASSERT_OK(first);
  for (const auto& row : rows) {
    auto deferred = co_await outbox->defer(soon(), row.id, row.stream_id, 0ms);
    CO_ASSERT_OK(deferred);
  }
  auto second = co_await outbox->mark_published(soon(), std::move(late));
  CO_ASSERT_OK(second);
  auto again = co_await outbox->claim(soon(), 10, 60'000ms);
  CO_ASSERT_OK(again);
  EXPECT_EQ(ids_of(*again), ids_of(*claimed));
  // Published as another entry: a deferral of the first one comes too late to count.
  std::vector<storage::Outbox::Published> other(1, {rows[0].id, rows[0].topic, "77-0"});
  auto marked = co_await outbox->mark_published(soon(), std::move(other));
  CO_ASSERT_OK(marked);
  auto stale = co_await outbox->defer(soon(), rows[0].id, rows[0].stream_id, 0ms);
  CO_ASSERT_OK(stale);
  EXPECT_EQ(s.value("select string_agg(stream_id, ',') from outbox where published_at is not null"),
            "77-0");
}

CORO_TEST(Outbox, ARestingRowIsNotClaimedBeforeItsTime) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto outbox = storage::make_outbox(s.database);
  add_events(s, "explanations", 1);
  auto claimed = co_await outbox->claim(soon(), 10, 0ms);
  CO_ASSERT_OK(claimed);
  CO_ASSERT_EQ(claimed->size(), 1U);
  const auto row = published(*claimed).front();
  auto deferred = co_await outbox->defer(soon(), row.id, row.stream_id, 60'000ms);
  CO_ASSERT_OK(deferred);
  auto none = co_await outbox->claim(soon(), 10, 0ms);
  CO_ASSERT_OK(none);
  EXPECT_TRUE(none->empty());
  auto stats = co_await outbox->stats(soon());
  CO_ASSERT_OK(stats);
  EXPECT_EQ(stats->pending, 0) << "waiting for Ollama is no sign that Redis takes nothing";
}

CORO_TEST(Outbox, TwoRelaysNeverClaimTheSameRow) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor, 4);
  auto outbox = storage::make_outbox(s.database);
  add_events(s, "alerts", 400);
  std::vector<EventId> all;
  int finished = 0;
  auto collect = [&](const std::exception_ptr&, Result<std::vector<model::Event>> events) {
    ++finished;
    EXPECT_TRUE(events.has_value());
    const auto ids = ids_of(events ? *events : std::vector<model::Event>());
    all.insert(all.end(), ids.begin(), ids.end());
  };
  for (int i = 0; i < 10; ++i) {
    boost::asio::co_spawn(executor, outbox->claim(soon(), 30, 60'000ms), collect);
  }
  while (finished < 10) {
    auto slept = co_await runtime::sleep(2ms);
    CO_ASSERT_OK(slept);
  }
  std::ranges::sort(all);
  EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
  EXPECT_GE(all.size(), 30U);
}

CORO_TEST(DeadLetters, KeepTheEventOnceAndFinishIt) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto outbox = storage::make_outbox(s.database);
  auto letters = storage::make_dead_letters(s.database);
  add_events(s, "alerts", 1);
  auto claimed = co_await outbox->claim(soon(), 1, 60'000ms);
  CO_ASSERT_OK(claimed);
  CO_ASSERT_EQ(claimed->size(), 1U);
  for (int i = 0; i < 2; ++i) {
    auto stored = co_await letters->store(soon(), kDefaultTenant, claimed->front(), "explain", 5,
                                          "cannot be read");
    CO_ASSERT_OK(stored);
  }
  EXPECT_EQ(s.value("select count(*) over () || consumer_group || deliveries || reason || payload "
                    "from dead_letters"),
            "1explain5cannot be read{\"n\":1}");
  EXPECT_EQ(s.value("select count(*) from outbox"), "0");
}

}  // namespace
}  // namespace sensus::test
