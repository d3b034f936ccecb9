#include "sensus/storage/jobs.hpp"

#include "store_fixture.hpp"

#include <boost/asio/use_awaitable.hpp>

namespace sensus::storage {
namespace {

namespace asio = boost::asio;
using model::JobKind;
using model::JobState;
using test::at;
using test::soon;

runtime::Async<model::Job> create(JobStore& jobs, JobKind kind, std::optional<Timestamp> due = std::nullopt) {
  NewJob fresh{.kind = kind, .parameters_json = R"({"days":3})", .due_at = due};
  const Deadline deadline = soon();
  auto created = co_await jobs.create(deadline, kDefaultTenant, std::move(fresh));
  co_return created;
}

runtime::Async<std::optional<model::Job>> claim(JobStore& jobs, std::string owner) {
  const Deadline deadline = soon();
  const std::chrono::seconds lease{30};
  auto claimed = co_await jobs.claim(deadline, kDefaultTenant, std::move(owner), lease);
  co_return claimed;
}

CORO_TEST(Jobs, AreCreatedClaimedKeptAndFinishedWithAnEventEach) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto jobs = make_job_store(store.database);
  const Result<model::Job> created = co_await create(*jobs, JobKind::train);
  CO_ASSERT_OK(created);
  EXPECT_EQ(created->state, JobState::queued);
  EXPECT_EQ(created->parameters_json, R"({"days": 3})");

  const Result<std::optional<model::Job>> claimed = co_await claim(*jobs, "a");
  CO_ASSERT_OK(claimed);
  CO_ASSERT_TRUE(claimed->has_value());
  EXPECT_EQ((*claimed)->id, created->id);
  EXPECT_EQ((*claimed)->state, JobState::running);
  const Deadline deadline = soon();
  const std::chrono::seconds lease{30};
  const Result<bool> kept = co_await jobs->keep(deadline, kDefaultTenant, created->id, "a", 0.5, lease);
  CO_ASSERT_OK(kept);
  EXPECT_TRUE(*kept);
  const Result<bool> stolen = co_await jobs->keep(deadline, kDefaultTenant, created->id, "b", 0.7, lease);
  CO_ASSERT_OK(stolen);
  EXPECT_FALSE(*stolen);
  const Result<std::string> result = std::string(R"({"version_id":3})");
  const Result<> finished = co_await jobs->finish(deadline, kDefaultTenant, created->id, "a", result);
  CO_ASSERT_OK(finished);
  const Result<model::Job> read = co_await jobs->get(deadline, kDefaultTenant, created->id);
  CO_ASSERT_OK(read);
  EXPECT_EQ(read->state, JobState::done);
  EXPECT_EQ(read->progress, 1);
  EXPECT_EQ(read->result_json, R"({"version_id": 3})");
  EXPECT_TRUE(read->finished_at.has_value());
  EXPECT_EQ(store.value("select string_agg(payload::jsonb ->> 'state', ',' order by id) from outbox where type = 'job'"),
            "queued,running,done");
}

CORO_TEST(Jobs, OneRunsAtATimeAndAFailureIsTold) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto jobs = make_job_store(store.database);
  for (const JobKind kind : {JobKind::retrain, JobKind::evaluate}) {
    const Result<model::Job> created = co_await create(*jobs, kind);
    CO_ASSERT_OK(created);
  }
  const Result<std::optional<model::Job>> first = co_await claim(*jobs, "a");
  CO_ASSERT_OK(first);
  CO_ASSERT_TRUE(first->has_value());
  const Result<std::optional<model::Job>> second = co_await claim(*jobs, "b");
  CO_ASSERT_OK(second);
  EXPECT_FALSE(second->has_value()) << "the first still runs";
  const Result<std::string> failure = make_error(Errc::unavailable, "PostgreSQL was away");
  const Deadline deadline = soon();
  const Result<> finished = co_await jobs->finish(deadline, kDefaultTenant, (*first)->id, "a", failure);
  CO_ASSERT_OK(finished);
  const Result<model::Job> failed = co_await jobs->get(deadline, kDefaultTenant, (*first)->id);
  CO_ASSERT_OK(failed);
  EXPECT_EQ(failed->state, JobState::failed);
  EXPECT_EQ(failed->error, "PostgreSQL was away");
  const Result<std::optional<model::Job>> third = co_await claim(*jobs, "b");
  CO_ASSERT_OK(third);
  CO_ASSERT_TRUE(third->has_value());
  EXPECT_EQ((*third)->kind, JobKind::evaluate);
}

CORO_TEST(Jobs, AnAbandonedOneIsTakenUpThreeTimesAndThenGivenUp) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto jobs = make_job_store(store.database);
  const Result<model::Job> created = co_await create(*jobs, JobKind::train);
  CO_ASSERT_OK(created);
  for (const std::string owner : {"a", "b", "c"}) {
    const Result<std::optional<model::Job>> claimed = co_await claim(*jobs, owner);
    CO_ASSERT_OK(claimed);
    EXPECT_TRUE(claimed->has_value()) << owner;
    store.db.admin("update jobs set lease_until = now() - interval '1 second'");
  }
  const Result<std::optional<model::Job>> claimed = co_await claim(*jobs, "d");
  CO_ASSERT_OK(claimed);
  EXPECT_FALSE(claimed->has_value());
  EXPECT_EQ(store.value("select state from jobs"), "failed");
}

CORO_TEST(Jobs, TheScheduleMakesOneForEachDueTimeWhoeverAsks) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto jobs = make_job_store(store.database);
  const Deadline deadline = soon();
  const Result<std::optional<Timestamp>> never = co_await jobs->last_due(deadline, kDefaultTenant, JobKind::retrain);
  CO_ASSERT_OK(never);
  EXPECT_FALSE(never->has_value());
  const Timestamp night = at("2026-11-20T02:00:00Z");
  const Result<model::Job> first = co_await create(*jobs, JobKind::retrain, night);
  CO_ASSERT_OK(first);
  const Result<model::Job> again = co_await create(*jobs, JobKind::retrain, night);
  CO_ASSERT_TRUE(!again);
  EXPECT_EQ(again.error().code, Errc::already_exists);
  const Result<model::Job> other = co_await create(*jobs, JobKind::evaluate, night);
  CO_ASSERT_OK(other);
  const Result<std::optional<Timestamp>> last = co_await jobs->last_due(deadline, kDefaultTenant, JobKind::retrain);
  CO_ASSERT_OK(last);
  EXPECT_EQ(*last, night);
}

CORO_TEST(Jobs, AreBoundedInNumberAndListedNewestFirst) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto jobs = make_job_store(store.database);
  for (int i = 0; i < JobStore::kQueuedMax; ++i) {
    const Result<model::Job> created = co_await create(*jobs, JobKind::evaluate);
    CO_ASSERT_OK(created);
  }
  const Result<model::Job> refused = co_await create(*jobs, JobKind::evaluate);
  CO_ASSERT_TRUE(!refused);
  EXPECT_EQ(refused.error().code, Errc::overloaded);
  const Deadline deadline = soon();
  const Result<Page<model::Job>> page = co_await jobs->list(deadline, kDefaultTenant, 10, std::nullopt);
  CO_ASSERT_OK(page);
  EXPECT_EQ(page->items.size(), 10U);
  EXPECT_GT(page->items.front().id, page->items.back().id);
  CO_ASSERT_TRUE(page->next.has_value());
  const Result<Page<model::Job>> rest = co_await jobs->list(deadline, kDefaultTenant, 10, page->next);
  CO_ASSERT_OK(rest);
  EXPECT_EQ(rest->items.size(), 6U);
  const Result<model::Job> missing = co_await jobs->get(deadline, kDefaultTenant, 4711);
  CO_ASSERT_TRUE(!missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

}  // namespace
}  // namespace sensus::storage
