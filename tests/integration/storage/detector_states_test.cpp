#include "sensus/storage/detector_states.hpp"

#include "store_fixture.hpp"

#include <boost/asio/use_awaitable.hpp>

namespace sensus::storage {
namespace {

namespace asio = boost::asio;
using test::at;
using test::soon;

const std::string kModel = "isolation_forest-0a1b2c3d";

/// Every byte there is.
std::string all_bytes() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    bytes.push_back(static_cast<char>(i));
  }
  return bytes;
}

runtime::Async<std::size_t> save(DetectorStateStore& states, SeriesId series, Timestamp time,
                                 std::string bytes) {
  std::vector<DetectorState> fresh;
  fresh.push_back({series, time, std::move(bytes)});
  const Deadline deadline = soon();
  std::string model = kModel;
  auto saved = co_await states.save(deadline, kDefaultTenant, std::move(model), std::move(fresh));
  co_return saved;
}

runtime::Async<std::vector<DetectorState>> load(DetectorStateStore& states, std::string model,
                                                std::vector<SeriesId> series) {
  const Deadline deadline = soon();
  auto loaded = co_await states.load(deadline, kDefaultTenant, std::move(model), std::move(series));
  co_return loaded;
}

CORO_TEST(DetectorStates, ComeBackByteByByteBySeriesAndModel) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto states = make_detector_state_store(store.database);
  const Result<std::size_t> first =
      co_await save(*states, 7, at("2026-11-20T10:00:00Z"), all_bytes());
  CO_ASSERT_OK(first);
  const Result<std::size_t> second = co_await save(*states, 8, at("2026-11-20T10:01:00Z"), "");
  CO_ASSERT_OK(second);
  const std::vector<SeriesId> asked{9, 8, 7};
  const auto loaded = co_await load(*states, kModel, asked);
  CO_ASSERT_OK(loaded);
  CO_ASSERT_EQ(loaded->size(), 2U);
  EXPECT_EQ((*loaded)[0].series, 7);
  EXPECT_EQ((*loaded)[0].last_time, at("2026-11-20T10:00:00Z"));
  EXPECT_EQ((*loaded)[0].bytes, all_bytes());
  EXPECT_EQ((*loaded)[1].bytes, "");
  const auto other = co_await load(*states, "another", asked);
  CO_ASSERT_OK(other);
  EXPECT_TRUE(other->empty());
}

CORO_TEST(DetectorStates, ALaterStateReplacesAnEarlierOneAndNeverTheOtherWayRound) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto states = make_detector_state_store(store.database);
  const Result<std::size_t> first = co_await save(*states, 7, at("2026-11-20T10:00:00Z"), "ten");
  CO_ASSERT_OK(first);
  const Result<std::size_t> later = co_await save(*states, 7, at("2026-11-20T11:00:00Z"), "eleven");
  CO_ASSERT_OK(later);
  EXPECT_EQ(*later, 1U);
  const Result<std::size_t> earlier =
      co_await save(*states, 7, at("2026-11-20T10:30:00Z"), "half past ten");
  CO_ASSERT_OK(earlier);
  EXPECT_EQ(*earlier, 0U);
  const std::vector<SeriesId> asked{7};
  const auto loaded = co_await load(*states, kModel, asked);
  CO_ASSERT_OK(loaded);
  CO_ASSERT_EQ(loaded->size(), 1U);
  EXPECT_EQ(loaded->front().bytes, "eleven");
}

CORO_TEST(DetectorStates, ThoseOfSeriesThatAreLongGoneArePurgedAFewAtATime) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto states = make_detector_state_store(store.database);
  for (const SeriesId id : {1, 2, 3, 4}) {
    const Result<std::size_t> saved = co_await save(*states, id, at("2026-11-20T10:00:00Z"), "x");
    CO_ASSERT_OK(saved);
  }
  store.db.admin(
      "update detector_states set saved_at = now() - interval '40 days' where series_id < 4");
  const std::chrono::hours idle{30 * 24};
  for (const std::size_t expected : {2U, 1U, 0U}) {
    const Deadline deadline = soon();
    const Result<std::size_t> purged = co_await states->purge(deadline, kDefaultTenant, idle, 2);
    CO_ASSERT_OK(purged);
    EXPECT_EQ(*purged, expected);
  }
  EXPECT_EQ(store.value("select string_agg(series_id::text, ',') from detector_states"), "4");
}

}  // namespace
}  // namespace sensus::storage
