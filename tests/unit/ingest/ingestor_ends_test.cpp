#include "fakes.hpp"

namespace sensus::ingest {
namespace {

using namespace std::chrono_literals;

model::SampleBatch an_end(const std::string& series, Timestamp time) {
  model::SampleBatch out;
  out.append_end(series, time);
  return out;
}

std::size_t resumes(const storage::SampleFlush& flush) { return flush.resumed.size(); }

CORO_TEST(IngestorEnds, AnEndIsCommittedAndIsNoSample) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.send(one_sample("a"));
  CO_UNTIL(bench.all_answered());
  bench.send(an_end("a", kNow + 15s));
  CO_UNTIL(bench.all_answered());
  CO_ASSERT_OK(bench.results[1]);
  EXPECT_EQ(*bench.results[1], 0U);
  const std::map<SeriesId, Timestamp> expected{{1, kNow + 15s}};
  EXPECT_EQ(bench.database->ended(), expected);
  EXPECT_EQ(bench.database->rows(), 1U);
  EXPECT_EQ(bench.metric("sensus_metrics_received_total"), 1);
}

CORO_TEST(IngestorEnds, AnEndThatCannotBeCommittedIsRefusedToItsSender) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.database->fail_next(Errc::unavailable);
  bench.send(an_end("a", kNow));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.count(Errc::unavailable), 1U);
}

CORO_TEST(IngestorEnds, ALaterSampleLetsTheSeriesGoOnAndAnEarlierOneDoesNot) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.send(one_sample("a"));
  CO_UNTIL(bench.all_answered());
  bench.send(an_end("a", kNow + 15s));
  CO_UNTIL(bench.all_answered());
  bench.send(one_sample("a", 1, kNow + 5s));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(resumes(bench.database->written()[2]), 1U);
  EXPECT_EQ(bench.database->ended().size(), 1U) << "it came late";
  bench.send(one_sample("a", 1, kNow + 30s));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(resumes(bench.database->written()[3]), 1U);
  EXPECT_TRUE(bench.database->ended().empty());
  bench.send(one_sample("a", 1, kNow + 45s));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(resumes(bench.database->written()[4]), 0U) << "from here on it costs nothing";
}

CORO_TEST(IngestorEnds, AfterARestartTheRowTells) {
  Bench before(co_await boost::asio::this_coro::executor);
  before.send(one_sample("a"));
  CO_UNTIL(before.all_answered());
  before.send(an_end("a", kNow + 15s));
  CO_UNTIL(before.all_answered());
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.database->adopt(*before.database);
  bench.send(one_sample("a", 1, kNow + 5s));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.database->ended().size(), 1U);
  bench.send(one_sample("a", 1, kNow + 30s));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(resumes(bench.database->written()[1]), 1U) << "the miss before learned that it had ended";
  EXPECT_TRUE(bench.database->ended().empty());
}

CORO_TEST(IngestorEnds, AnEndOnItsWayIsNotForgottenByAnEarlierReturn) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.send(one_sample("a"));
  CO_UNTIL(bench.all_answered());
  bench.send(an_end("a", kNow + 15s));
  CO_UNTIL(bench.all_answered());
  bench.database->hold();
  bench.send(one_sample("a", 1, kNow + 30s));
  CO_UNTIL(bench.database->attempts() == 3);
  bench.send(an_end("a", kNow + 45s));
  CO_UNTIL(bench.sent == 4);
  bench.database->release();
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.database->ended().size(), 1U);
  bench.send(one_sample("a", 1, kNow + 60s));
  CO_UNTIL(bench.all_answered());
  EXPECT_TRUE(bench.database->ended().empty());
}

CORO_TEST(IngestorEnds, AFailedEndLeavesNothingWrong) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.send(one_sample("a"));
  CO_UNTIL(bench.all_answered());
  bench.database->fail_next(Errc::internal);
  bench.send(an_end("a", kNow + 15s));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(bench.count(Errc::internal), 1U);
  bench.send(one_sample("a", 1, kNow + 30s));
  CO_UNTIL(bench.all_answered());
  bench.send(one_sample("a", 1, kNow + 45s));
  CO_UNTIL(bench.all_answered());
  EXPECT_EQ(resumes(bench.database->written().back()), 0U);
  EXPECT_TRUE(bench.database->ended().empty());
}

}  // namespace
}  // namespace sensus::ingest
