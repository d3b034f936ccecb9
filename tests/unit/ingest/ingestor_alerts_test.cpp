#include "fakes.hpp"

namespace sensus::ingest {
namespace {

using model::MergeAction;

model::AlertBatch alerts(std::size_t count) {
  model::AlertBatch out;
  out.arrivals.resize(count);
  return out;
}

/// How each alert request ended; nullopt = accepted.
using Ends = std::vector<std::optional<Errc>>;

void send_alerts(Bench& bench, Ends& ends) {
  boost::asio::co_spawn(bench.executor, bench.ingestor->accept(Deadline::after(5s), kDefaultTenant, alerts(1)),
                        [&ends](const std::exception_ptr& failure, const Result<std::vector<storage::AlertOutcome>>& result) {
                          EXPECT_EQ(failure, nullptr);
                          ends.push_back(result ? std::nullopt : std::optional(result.error().code));
                        });
}

CORO_TEST(IngestorAlerts, OutcomesAreReturnedAndCounted) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.alerts.outcomes = {{1, MergeAction::create}, {2, MergeAction::resolve}, {3, MergeAction::reopen}, {4, MergeAction::refresh}, {4, MergeAction::refresh}};
  auto batch = alerts(5);
  batch.quarantined = {{"{}", "labels.alertname: is missing", "missing_alertname"}, {"7", "must be an object", "bad_type"}};
  batch.truncated_alerts = 3;
  const auto outcomes = co_await bench.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(batch));
  CO_ASSERT_OK(outcomes);
  EXPECT_EQ(outcomes->size(), 5U);
  EXPECT_EQ(bench.outbox_wakes, 1);
  EXPECT_EQ(bench.metric("sensus_alerts_received_total{outcome=\"created\"}"), 1);
  EXPECT_EQ(bench.metric("sensus_alerts_received_total{outcome=\"resolved\"}"), 1);
  EXPECT_EQ(bench.metric("sensus_alerts_received_total{outcome=\"reopened\"}"), 1);
  EXPECT_EQ(bench.metric("sensus_alerts_received_total{outcome=\"duplicate\"}"), 2);
  EXPECT_EQ(bench.metric("sensus_alerts_received_total{outcome=\"quarantined\"}"), 2);
  EXPECT_EQ(bench.metric("sensus_ingest_quarantined_alerts_total{code=\"bad_type\"}"), 1);
  EXPECT_EQ(bench.metric("sensus_ingest_quarantined_alerts_total{code=\"timestamp_window\"}"), 0);
  EXPECT_EQ(bench.metric("sensus_ingest_truncated_alerts_total"), 3);
  EXPECT_EQ(bench.metric("sensus_processing_duration_seconds_count{kind=\"alerts\"}"), 1);
}

CORO_TEST(IngestorAlerts, AFailureIsTheSendersToRetry) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.alerts.failure = Errc::unavailable;
  auto outcomes_batch = alerts(2);
  const auto outcomes = co_await bench.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(outcomes_batch));
  CO_ASSERT_TRUE(!outcomes);
  EXPECT_EQ(outcomes.error().code, Errc::unavailable);
  EXPECT_EQ(bench.outbox_wakes, 0);
  EXPECT_EQ(bench.metric("sensus_alerts_received_total{outcome=\"failed\"}"), 2);
  bench.alerts.failure.reset();
  auto again_batch = alerts(2);
  const auto again = co_await bench.ingestor->accept(Deadline::after(5s), kDefaultTenant, std::move(again_batch));
  CO_ASSERT_OK(again);
}

CORO_TEST(IngestorAlerts, RequestsInFlightAreBounded) {
  Options options;
  options.alerts_in_flight_max = 4;
  Bench bench(co_await boost::asio::this_coro::executor, options);
  bench.alerts.gate = std::make_shared<runtime::Signal>(bench.executor);
  Ends ends;
  for (int i = 0; i < 6; ++i) {
    send_alerts(bench, ends);
  }
  CO_UNTIL(ends.size() == 2);
  EXPECT_EQ(ends[0], Errc::overloaded);
  EXPECT_EQ(bench.metric("sensus_ingest_alert_requests_in_flight"), 4);
  bench.alerts.gate->notify();
  CO_UNTIL(ends.size() == 6);
  EXPECT_EQ(ends[5], std::nullopt);
  bench.alerts.gate.reset();
  send_alerts(bench, ends);
  CO_UNTIL(ends.size() == 7);
  EXPECT_EQ(ends[6], std::nullopt) << "room again";
}

CORO_TEST(IngestorAlerts, StopWaitsForThoseInFlight) {
  Bench bench(co_await boost::asio::this_coro::executor);
  bench.alerts.gate = std::make_shared<runtime::Signal>(bench.executor);
  Ends ends;
  send_alerts(bench, ends);
  CO_UNTIL(bench.metric("sensus_ingest_alert_requests_in_flight") == 1);
  const auto hurried = co_await bench.ingestor->stop(Deadline::after(20ms));
  CO_ASSERT_TRUE(!hurried);
  bench.alerts.gate->notify();
  const auto patient = co_await bench.ingestor->stop(Deadline::after(5s));
  CO_ASSERT_OK(patient);
  CO_UNTIL(ends.size() == 1);
  EXPECT_EQ(ends[0], std::nullopt);
}

}  // namespace
}  // namespace sensus::ingest
