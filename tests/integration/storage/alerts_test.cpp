#include "integration/storage/store_fixture.hpp"

#include <algorithm>
#include <random>
#include <set>

namespace sensus::test {
namespace {

using model::MergeAction;

const Timestamp kNoon = at("2026-11-20T12:00:00Z");

CORO_TEST(AlertStore, AnAlertIsOneRowFromFiringToResolved) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto alerts = storage::make_alert_store(s.database);
  auto first =
      co_await alerts->store(soon(), kDefaultTenant, batch_of(firing("Down", kNoon)), kNoon + 1s);
  CO_ASSERT_OK(first);
  EXPECT_EQ(first->at(0).action, MergeAction::create);
  auto repeat =
      co_await alerts->store(soon(), kDefaultTenant, batch_of(firing("Down", kNoon)), kNoon + 60s);
  CO_ASSERT_OK(repeat);
  EXPECT_EQ(repeat->at(0).action, MergeAction::refresh);
  EXPECT_EQ(repeat->at(0).id, first->at(0).id);
  auto closed = co_await alerts->store(
      soon(), kDefaultTenant, batch_of(resolved("Down", kNoon, kNoon + 300s)), kNoon + 301s);
  CO_ASSERT_OK(closed);
  EXPECT_EQ(closed->at(0).action, MergeAction::resolve);
  auto episode = co_await alerts->get(soon(), kDefaultTenant, first->at(0).id);
  CO_ASSERT_OK(episode);
  EXPECT_EQ(episode->status, model::AlertStatus::resolved);
  EXPECT_EQ(episode->starts_at, kNoon);
  EXPECT_EQ(episode->ends_at, kNoon + 300s);
  EXPECT_EQ(episode->receive_count, 3);
  EXPECT_EQ(episode->alert_name, "Down");
  EXPECT_EQ(episode->severity, "warning");
  EXPECT_EQ(episode->description, "about Down");
  EXPECT_EQ(episode->generator_url, "http://prometheus/graph");
  EXPECT_EQ(episode->last_received_at, kNoon + 301s);
  EXPECT_EQ(episode->labels.get("instance"), "a");
  EXPECT_EQ(episode->fingerprint, model::fingerprint_of(episode->labels));
  EXPECT_EQ(s.value("select count(*) from alerts"), "1") << "plain names work in psql";
  // One event for each transition, on the topic of the analyzers and on the feed's.
  EXPECT_EQ(s.value("select string_agg(topic || ' ' || (payload::jsonb ->> 'change'), ', ' order "
                    "by id) from outbox"),
            "alerts created, events created, alerts resolved, events resolved");
  EXPECT_EQ(s.value("select count(*) from outbox where (payload::jsonb ->> 'alert_id')::bigint = " +
                    std::to_string(episode->id)),
            "4");
}

CORO_TEST(AlertStore, ManyAlertsAreNotReadToShowAFew) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor, 1);
  auto alerts = storage::make_alert_store(s.database);
  (void)s.value(
      "with made as (insert into sensus.alerts (tenant_id, labels_hash, fingerprint, alert_name, "
      "severity, labels, annotations, starts_at, ends_at, status) select 1, "
      "decode(md5(g::text), 'hex'), 'f', 'A' || g % 500, 'warning', jsonb_build_object('alertname', "
      "'A' || g % 500, 'n', g::text), '{}', timestamptz '2026-11-20 12:00:00Z' - interval '1 s' * g, "
      "timestamptz '2026-11-20 12:00:10Z' - interval '1 s' * g, 'resolved' "
      "from generate_series(1, 100000) g returning 1) select count(*) from made");
  (void)s.value("analyze sensus.alerts");
  std::vector<storage::AlertFilter> filters(6);
  filters[1].alert_name = "A7";
  filters[2].matchers.push_back({"n", model::MatchOp::equal, "77"});
  filters[3].matchers.push_back({"n", model::MatchOp::not_equal, "77"});
  filters[4].status = model::AlertStatus::firing;
  filters[5].from = kNoon - 1h;
  // Often enough for a cached plan to take over, were there one.
  for (int round = 0; round < 8; ++round) {
    for (const storage::AlertFilter& filter : filters) {
      auto page = co_await alerts->list(soon(), kDefaultTenant, filter);
      CO_ASSERT_OK(page);
    }
    auto near = co_await alerts->overlapping(soon(), kDefaultTenant, 0, kNoon - 10s, kNoon, 50);
    CO_ASSERT_OK(near);
    EXPECT_GE(near->size(), 10U);
  }
  // Rows that scans of the table or of its indexes fetched, by the session's own count.
  std::function<Result<std::int64_t>(pg::Tx&)> flush = [](pg::Tx& tx) -> Result<std::int64_t> {
    (void)tx.exec("select pg_stat_force_next_flush()");
    return 0;
  };
  auto flushed = co_await s.database.transact<std::int64_t>(soon(), pg::Access::read_only, std::move(flush));
  CO_ASSERT_OK(flushed);
  const std::string scanned = s.value(
      "select seq_scan || ' ' || (seq_tup_read + coalesce(idx_tup_fetch, 0) < 100000) "
      "from pg_stat_user_tables where relname = 'alerts'");
  EXPECT_TRUE(scanned.ends_with(" true")) << scanned;
}

CORO_TEST(AlertStore, DuplicatesInABatchCollapseAndOutcomesKeepItsOrder) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto alerts = storage::make_alert_store(s.database);
  std::vector<model::AlertArrival> arrivals;
  arrivals.push_back(firing("B", kNoon));
  arrivals.push_back(firing("A", kNoon));
  arrivals.push_back(firing("B", kNoon));
  arrivals.push_back(resolved("B", kNoon, kNoon + 10s));
  auto batch = batch_of(std::move(arrivals));
  auto outcomes = co_await alerts->store(soon(), kDefaultTenant, std::move(batch), kNoon + 20s);
  CO_ASSERT_OK(outcomes);
  CO_ASSERT_EQ(outcomes->size(), 4U);
  EXPECT_EQ(outcomes->at(0).action, MergeAction::create);
  EXPECT_EQ(outcomes->at(1).action, MergeAction::create);
  EXPECT_EQ(outcomes->at(2).action, MergeAction::refresh);
  EXPECT_EQ(outcomes->at(3).action, MergeAction::resolve);
  EXPECT_EQ(outcomes->at(0).id, outcomes->at(3).id);
  EXPECT_NE(outcomes->at(0).id, outcomes->at(1).id);
  EXPECT_EQ(s.value("select count(*) from alerts"), "2");
  EXPECT_EQ(s.value("select status from alerts where alert_name = 'B'"), "resolved");
  EXPECT_EQ(s.value("select count(*) from outbox where topic = 'alerts'"), "3");
}

CORO_TEST(AlertStore, QuarantinedAlertsAreKeptWithTheirBytes) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto alerts = storage::make_alert_store(s.database);
  auto batch = batch_of(firing("Good", kNoon));
  batch.quarantined.push_back({std::string("{\"a\":\"\xff\0\"}", 10),
                               "alerts[1].labels: no alertname", "missing_alertname"});
  auto outcomes = co_await alerts->store(soon(), kDefaultTenant, std::move(batch), kNoon);
  CO_ASSERT_OK(outcomes);
  EXPECT_EQ(outcomes->size(), 1U);
  EXPECT_EQ(s.value("select code || '|' || reason || '|' || source || '|' || encode(original, "
                    "'hex') from quarantine"),
            "missing_alertname|alerts[1].labels: no alertname|alerts|7b2261223a22ff00227d");
  model::AlertBatch only_bad;
  only_bad.quarantined.push_back({"x", "y", "z"});
  auto none = co_await alerts->store(soon(), kDefaultTenant, std::move(only_bad), kNoon);
  CO_ASSERT_OK(none);
  EXPECT_TRUE(none->empty());
  EXPECT_EQ(s.value("select count(*) from quarantine"), "2");
}

CORO_TEST(AlertStore, ARepeatedBadAlertIsOneRowWithACount) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto alerts = storage::make_alert_store(s.database);
  for (int i = 0; i < 3; ++i) {
    model::AlertBatch batch;
    const std::string ends_at = "2026-11-20T12:0" + std::to_string(i) + ":00.5Z";
    batch.quarantined.push_back({R"({"labels":{},"endsAt":")" + ends_at + "\"}", "[0].labels: empty", "missing_alertname"});
    batch.quarantined.push_back({R"({"labels":{},"endsAt":")" + ends_at + "\"}", "[1].labels: empty", "missing_alertname"});
    batch.quarantined.push_back({R"({"labels":{"a":1}})", "[2].labels.a: no text", "bad_label"});
    auto stored = co_await alerts->store(soon(), kDefaultTenant, std::move(batch), kNoon + std::chrono::minutes(i));
    CO_ASSERT_OK(stored);
  }
  EXPECT_EQ(s.value("select string_agg(code || ' ' || occurrences, ', ' order by code) from quarantine"),
            "bad_label 3, missing_alertname 6");
  EXPECT_EQ(s.value("select convert_from(original, 'UTF8') from quarantine where code = 'missing_alertname'"),
            R"({"labels":{},"endsAt":"2026-11-20T12:02:00.5Z"})");
  EXPECT_EQ(s.value("select distinct extract(epoch from last_received_at - received_at)::int from quarantine"), "120");
}

CORO_TEST(AlertStore, AHundredConcurrentSendersMakeOneRow) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor, 4);
  auto alerts = storage::make_alert_store(s.database);
  int finished = 0;
  int created = 0;
  int failed = 0;
  auto count = [&](const std::exception_ptr&, Result<std::vector<storage::AlertOutcome>> result) {
    ++finished;
    failed += result ? 0 : 1;
    created += result && result->at(0).action == MergeAction::create ? 1 : 0;
  };
  for (int i = 0; i < 100; ++i) {
    // HA pairs may differ in the start.
    auto batch = batch_of(firing("Down", kNoon + std::chrono::seconds(i % 2)));
    batch.arrivals.push_back(firing("Other" + std::to_string(i % 7), kNoon));
    boost::asio::co_spawn(
        executor, alerts->store(soon(), kDefaultTenant, std::move(batch), kNoon + 60s), count);
  }
  while (finished < 100) {
    auto slept = co_await runtime::sleep(5ms);
    CO_ASSERT_OK(slept);
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(created, 1);
  EXPECT_EQ(s.value("select count(*) || '/' || sum(receive_count) || '/' || min(starts_at) from "
                    "alerts where alert_name = 'Down'"),
            "1/100/2026-11-20 12:00:00+00");
  EXPECT_EQ(s.value("select count(*) from alerts"), "8");
  EXPECT_EQ(s.value("select count(*) from outbox where topic = 'alerts'"), "8");
}

CORO_TEST(AlertStore, ALargeBatchGoesThroughBesideSmallOnes) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor, 3);
  auto alerts = storage::make_alert_store(s.database);
  std::vector<model::AlertArrival> many;
  for (int i = 0; i < 2000; ++i) {
    many.push_back(firing("Many" + std::to_string(i), kNoon));
  }
  int finished = 0;
  int failed = 0;
  auto count = [&](const std::exception_ptr&, Result<std::vector<storage::AlertOutcome>> result) {
    ++finished;
    failed += result ? 0 : 1;
  };
  boost::asio::co_spawn(
      executor, alerts->store(soon(), kDefaultTenant, batch_of(std::move(many)), kNoon), count);
  for (int i = 0; i < 20; ++i) {
    auto batch = batch_of(firing("Many" + std::to_string(i), kNoon));
    boost::asio::co_spawn(executor, alerts->store(soon(), kDefaultTenant, std::move(batch), kNoon),
                          count);
  }
  while (finished < 21) {
    auto slept = co_await runtime::sleep(5ms);
    CO_ASSERT_OK(slept);
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(s.value("select count(*) || '/' || sum(receive_count) from alerts"), "2000/2020");
}

/// The observable end of a history: every episode's stretch.
std::string shape_of(Store& s) {
  return s.value(
      "select string_agg(alert_name || ' ' || status || ' ' || starts_at || ' ' || "
      "coalesce(ends_at::text, '-'), '; ' "
      "order by alert_name, starts_at) from alerts");
}

CORO_TEST(AlertStore, HighAvailabilityPairsInAnyOrderEndInTheSameRows) {
  auto executor = co_await boost::asio::this_coro::executor;
  std::vector<std::string> shapes;
  for (unsigned seed = 1; seed <= 6; ++seed) {
    Store s(executor);
    auto alerts = storage::make_alert_store(s.database);
    // Two senders tell the same story; the order within one sender is kept, the interleaving is
    // not.
    std::mt19937 random(seed);
    std::vector<model::AlertArrival> story;
    story.push_back(firing("Down", kNoon));
    story.push_back(resolved("Down", kNoon, kNoon + 60s));
    story.push_back(firing("Down", kNoon + 120s));
    story.push_back(resolved("Down", kNoon + 120s, kNoon + 180s));
    std::size_t next[2] = {0, 0};
    Timestamp now = kNoon + 200s;
    while (next[0] + next[1] < 2 * story.size()) {
      std::size_t who = random() % 2;
      who = next[who] < story.size() ? who : 1 - who;
      now += 1s;
      auto stored =
          co_await alerts->store(soon(), kDefaultTenant, batch_of(story[next[who]++]), now);
      CO_ASSERT_OK(stored);
    }
    shapes.push_back(shape_of(s));
  }
  for (const std::string& shape : shapes) {
    EXPECT_EQ(shape, shapes.front());
  }
  EXPECT_EQ(shapes.front(),
            "Down resolved 2026-11-20 12:00:00+00 2026-11-20 12:01:00+00; Down resolved 2026-11-20 "
            "12:02:00+00 2026-11-20 12:03:00+00");
}

CORO_TEST(AlertStore, ReopensAfterTheHoldDownAndSaysSo) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto alerts = storage::make_alert_store(s.database);
  auto a = co_await alerts->store(soon(), kDefaultTenant,
                                  batch_of(resolved("Down", kNoon, kNoon + 60s)), kNoon + 61s);
  CO_ASSERT_OK(a);
  auto held =
      co_await alerts->store(soon(), kDefaultTenant, batch_of(firing("Down", kNoon)), kNoon + 70s);
  CO_ASSERT_OK(held);
  EXPECT_EQ(held->at(0).action, MergeAction::refresh);
  auto reopened =
      co_await alerts->store(soon(), kDefaultTenant, batch_of(firing("Down", kNoon)), kNoon + 120s);
  CO_ASSERT_OK(reopened);
  EXPECT_EQ(reopened->at(0).action, MergeAction::reopen);
  EXPECT_EQ(s.value("select status || coalesce(ends_at::text, '-') || "
                    "coalesce(resolved_received_at::text, '-') from alerts"),
            "firing--");
  EXPECT_EQ(s.value("select payload::jsonb ->> 'change' from outbox where topic = 'alerts' order "
                    "by id desc limit 1"),
            "reopened");
}

CORO_TEST(AlertStore, AnArrivalOlderThanWhatIsLoadedStillMeetsItsRow) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto alerts = storage::make_alert_store(s.database);
  auto first = co_await alerts->store(soon(), kDefaultTenant,
                                      batch_of(resolved("Flap", kNoon, kNoon + 1s)), kNoon);
  CO_ASSERT_OK(first);
  std::vector<model::AlertArrival> later;
  for (int i = 1; i <= 70; ++i) {
    later.push_back(resolved("Flap", kNoon + std::chrono::seconds(i * 60),
                             kNoon + std::chrono::seconds(i * 60 + 1)));
  }
  auto flapping =
      co_await alerts->store(soon(), kDefaultTenant, batch_of(std::move(later)), kNoon + 5000s);
  CO_ASSERT_OK(flapping);
  auto again = co_await alerts->store(soon(), kDefaultTenant,
                                      batch_of(resolved("Flap", kNoon, kNoon + 1s)), kNoon + 5001s);
  CO_ASSERT_OK(again);
  EXPECT_EQ(again->at(0).action, MergeAction::refresh);
  EXPECT_EQ(again->at(0).id, first->at(0).id);
  EXPECT_EQ(s.value("select count(*) from alerts"), "71");
  EXPECT_EQ(s.value("select count(*) from outbox where topic = 'alerts'"), "71");
}

CORO_TEST(AlertStore, ListsByFilterInPages) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto alerts = storage::make_alert_store(s.database);
  std::vector<model::AlertArrival> arrivals;
  for (int i = 0; i < 7; ++i) {
    arrivals.push_back(firing("A" + std::to_string(i), kNoon + std::chrono::seconds(i / 2),
                              i % 2 == 0 ? "critical" : "warning"));
  }
  arrivals.push_back(resolved("Old", kNoon - 7200s, kNoon - 3600s));
  auto stored =
      co_await alerts->store(soon(), kDefaultTenant, batch_of(std::move(arrivals)), kNoon);
  CO_ASSERT_OK(stored);

  std::vector<std::string> names;
  storage::AlertFilter filter;
  filter.limit = 3;
  for (int pages = 0; pages < 10; ++pages) {
    auto page = co_await alerts->list(soon(), kDefaultTenant, filter);
    CO_ASSERT_OK(page);
    for (const auto& episode : page->items) {
      names.push_back(episode.alert_name);
    }
    filter.after = page->next;
    if (!page->next) {
      break;
    }
  }
  CO_ASSERT_EQ(names.size(), 8U);
  EXPECT_EQ(names.back(), "Old");
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 8U);

  storage::AlertFilter critical;
  critical.severity = "critical";
  critical.status = model::AlertStatus::firing;
  auto page = co_await alerts->list(soon(), kDefaultTenant, critical);
  CO_ASSERT_OK(page);
  EXPECT_EQ(page->items.size(), 4U);
  EXPECT_FALSE(page->next.has_value());

  storage::AlertFilter matched;
  matched.matchers.push_back({"severity", model::MatchOp::not_equal, "critical"});
  matched.matchers.push_back({"instance", model::MatchOp::equal, "a"});
  matched.matchers.push_back({"missing", model::MatchOp::equal, ""});
  matched.from = kNoon - 60s;
  page = co_await alerts->list(soon(), kDefaultTenant, matched);
  CO_ASSERT_OK(page);
  EXPECT_EQ(page->items.size(), 3U);

  storage::AlertFilter past;
  past.to = kNoon - 60s;
  page = co_await alerts->list(soon(), kDefaultTenant, past);
  CO_ASSERT_OK(page);
  CO_ASSERT_EQ(page->items.size(), 1U);
  EXPECT_EQ(page->items[0].alert_name, "Old");

  page = co_await alerts->list(soon(), 2, storage::AlertFilter());
  CO_ASSERT_OK(page);
  EXPECT_TRUE(page->items.empty()) << "another tenant's";
}

CORO_TEST(AlertStore, FindsOverlappingEpisodesAndRecurrence) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto alerts = storage::make_alert_store(s.database);
  std::vector<model::AlertArrival> arrivals;
  arrivals.push_back(resolved("Down", kNoon - std::chrono::hours(24 * 20),
                              kNoon - std::chrono::hours(24 * 20 - 1)));
  arrivals.push_back(resolved("Down", kNoon - 7200s, kNoon - 3600s));
  arrivals.push_back(firing("Down", kNoon));
  arrivals.push_back(firing("Near", kNoon - 60s));
  arrivals.push_back(resolved("Far", kNoon - 9000s, kNoon - 8000s));
  auto stored =
      co_await alerts->store(soon(), kDefaultTenant, batch_of(std::move(arrivals)), kNoon);
  CO_ASSERT_OK(stored);
  const EpisodeId id = stored->at(2).id;
  auto others =
      co_await alerts->overlapping(soon(), kDefaultTenant, id, kNoon - 600s, kNoon + 1s, 10);
  CO_ASSERT_OK(others);
  CO_ASSERT_EQ(others->size(), 1U);
  EXPECT_EQ(others->at(0).alert_name, "Near");
  auto recurrence = co_await alerts->recurrence(soon(), kDefaultTenant, id);
  CO_ASSERT_OK(recurrence);
  EXPECT_EQ(recurrence->episodes_24h, 1);
  EXPECT_EQ(recurrence->episodes_30d, 2);
  EXPECT_EQ(recurrence->previous_start, kNoon - 7200s);
  EXPECT_EQ(recurrence->previous_end, kNoon - 3600s);
  auto first = co_await alerts->recurrence(soon(), kDefaultTenant, stored->at(3).id);
  CO_ASSERT_OK(first);
  EXPECT_EQ(first->episodes_30d, 0);
  EXPECT_FALSE(first->previous_start.has_value());
  auto missing = co_await alerts->get(soon(), kDefaultTenant, 999'999);
  CO_ASSERT_TRUE(!missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  auto nothing = co_await alerts->recurrence(soon(), kDefaultTenant, 999'999);
  CO_ASSERT_TRUE(!nothing);
  EXPECT_EQ(nothing.error().code, Errc::not_found);
}

}  // namespace
}  // namespace sensus::test
