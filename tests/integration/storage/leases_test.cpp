#include "sensus/storage/leases.hpp"

#include "store_fixture.hpp"

#include <boost/asio/use_awaitable.hpp>

namespace sensus::storage {
namespace {

namespace asio = boost::asio;
using test::soon;

constexpr std::chrono::seconds kLength{30};

runtime::Async<Lease> take(LeaseStore& leases, std::string holder) {
  const Deadline deadline = soon();
  Result<Lease> lease = co_await leases.take(deadline, "work", std::move(holder), kLength);
  co_return lease;
}

CORO_TEST(Leases, OneHolderAtATimeUntilItEnds) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto leases = make_lease_store(store.database);
  const Result<Lease> first = co_await take(*leases, "a");
  CO_ASSERT_OK(first);
  EXPECT_TRUE(first->ours);
  EXPECT_EQ(first->term, 1);
  const Result<Lease> refused = co_await take(*leases, "b");
  CO_ASSERT_OK(refused);
  EXPECT_FALSE(refused->ours);
  EXPECT_EQ(refused->holder, "a");

  (void)store.db.admin("update leases set lease_until = clock_timestamp() - interval '1 second'");
  const Result<Lease> again = co_await take(*leases, "a");
  CO_ASSERT_OK(again);
  EXPECT_TRUE(again->ours);
  EXPECT_EQ(again->term, 1) << "nobody had it in between";

  (void)store.db.admin("update leases set lease_until = clock_timestamp() - interval '1 second'");
  const Result<Lease> other = co_await take(*leases, "b");
  CO_ASSERT_OK(other);
  EXPECT_TRUE(other->ours);
  EXPECT_EQ(other->term, 2);
  const Result<Lease> late = co_await take(*leases, "a");
  CO_ASSERT_OK(late);
  EXPECT_FALSE(late->ours) << "who was away for too long has lost it";
}

CORO_TEST(Leases, AreGivenUpAtOnceAndByTheHolderOnly) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto leases = make_lease_store(store.database);
  const Result<Lease> first = co_await take(*leases, "a");
  CO_ASSERT_OK(first);
  const Deadline deadline = soon();
  const Result<> not_its_own = co_await leases->give_up(deadline, "work", "b");
  CO_ASSERT_OK(not_its_own);
  const Result<Lease> refused = co_await take(*leases, "b");
  CO_ASSERT_OK(refused);
  EXPECT_FALSE(refused->ours);
  const Result<> given_up = co_await leases->give_up(deadline, "work", "a");
  CO_ASSERT_OK(given_up);
  const Result<Lease> taken = co_await take(*leases, "b");
  CO_ASSERT_OK(taken);
  EXPECT_TRUE(taken->ours);
  EXPECT_EQ(taken->term, 2);
}

CORO_TEST(Leases, AClockThatWasSetBackHoldsNobodyUp) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto leases = make_lease_store(store.database);
  const Result<Lease> first = co_await take(*leases, "a");
  CO_ASSERT_OK(first);
  (void)store.db.admin("update leases set lease_until = clock_timestamp() + interval '30 days'");
  const Result<Lease> taken = co_await take(*leases, "b");
  CO_ASSERT_OK(taken);
  EXPECT_TRUE(taken->ours);
}

}  // namespace
}  // namespace sensus::storage
