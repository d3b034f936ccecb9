#include "integration/storage/store_fixture.hpp"

#include "sensus/storage/storage_tool.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace sensus::test {
namespace {

using storage::CompactionProgress;
using storage::VerifyProgress;
using ::testing::HasSubstr;

const Timestamp kDay = at("2026-11-10T00:00:00Z");
constexpr int kSeries = 70;
constexpr int kSamples = 96;  ///< A series and day, a quarter of an hour apart.

/// Two days of samples, the first compacted, and the tool on them.
class ToolTest : public ::testing::Test {
 protected:
  ToolTest() : tool_(db_.options(), telemetry::Log(), metrics_) {
    (void)db_.admin("select sensus.make_partitions('2026-11-09', '2026-11-12')");
    write(kDay);
    const auto done = tool_.compact_blocking(kDay + std::chrono::hours(24), [this](const CompactionProgress& now) { seen_.push_back(now); });
    EXPECT_TRUE(done.has_value());
    EXPECT_EQ(done->samples, kSeries * kSamples);
    EXPECT_EQ(done->days_emptied, 1);
    EXPECT_FALSE(done->busy);
    write(kDay + std::chrono::hours(24));
  }

  void write(Timestamp day) {
    const auto writer = storage::make_sample_writer(db_.options(), telemetry::Log(), metrics_);
    storage::SampleFlush flush;
    for (int s = 0; s < kSeries; ++s) {
      flush.new_series.push_back(series_key("cpu", std::to_string(s)));
      for (int i = 0; i < kSamples; ++i) {
        flush.rows.push_back({-(s + 1), day + std::chrono::minutes(15 * i), s + i / 8.0});
      }
    }
    EXPECT_TRUE(writer->write_blocking(soon(), flush).has_value());
  }

  VerifyProgress verify() {
    auto done = tool_.verify_blocking([](const VerifyProgress&) {});
    EXPECT_TRUE(done.has_value());
    return done ? std::move(*done) : VerifyProgress{};
  }

  /// Damages rows as the administrator; they are found, and named so.
  void expect_found(const std::string& damage, std::int64_t rows, const std::string& problem) {
    (void)db_.admin("begin");
    const std::string damaged = db_.admin_value("with d as (" + damage + " returning 1) select count(*) from d");
    EXPECT_EQ(damaged, std::to_string(rows)) << damage;
    (void)db_.admin("commit");
    const VerifyProgress found = verify();
    EXPECT_GE(found.bad_rows, rows) << damage;
    const auto named =
        std::ranges::count_if(found.problems, [&](const std::string& text) { return text.find(problem) != std::string::npos; });
    EXPECT_GE(named, rows) << damage << ": " << (found.problems.empty() ? "nothing found" : found.problems.front());
  }

  TestDatabase db_;
  telemetry::Metrics metrics_;
  storage::StorageTool tool_;
  std::vector<CompactionProgress> seen_;
};

TEST_F(ToolTest, CompactsStepByStepAndSaysHowFar) {
  ASSERT_EQ(seen_.size(), 64U);
  EXPECT_EQ(seen_.front().buckets, 1);
  EXPECT_EQ(seen_.front().buckets_total, 64);
  EXPECT_EQ(seen_.back().buckets, 64);
  (void)db_.admin("begin");
  (void)db_.admin("select pg_advisory_xact_lock(6072340122)");
  const auto busy = tool_.compact_blocking(kDay + std::chrono::hours(48), [](const CompactionProgress&) {});
  (void)db_.admin("rollback");
  ASSERT_TRUE(busy.has_value());
  EXPECT_TRUE(busy->busy);
  EXPECT_EQ(busy->buckets, 0);
}

TEST_F(ToolTest, StatsCountSamplesBacklogAndSizes) {
  const auto stats = tool_.stats_blocking(kDay + std::chrono::hours(48));
  ASSERT_TRUE(stats.has_value()) << stats.error().message;
  EXPECT_EQ(stats->batches.samples, kSeries * kSamples);
  EXPECT_EQ(stats->chunks.samples, kSeries * kSamples);
  EXPECT_GT(stats->chunks.bytes, 0);
  EXPECT_EQ(stats->series, kSeries);
  EXPECT_EQ(stats->backlog_buckets, 64);
  EXPECT_GE(stats->backlog_batches, 64);
  EXPECT_EQ(stats->default_rows, 0);
  EXPECT_EQ(stats->oldest_day, kDay);
  EXPECT_EQ(stats->newest, kDay + std::chrono::hours(24));
  const auto chunks = std::ranges::find(stats->tables, "sample_chunks", &storage::StorageStats::Table::name);
  ASSERT_NE(chunks, stats->tables.end());
  EXPECT_EQ(chunks->partitions, 1);
  EXPECT_GT(chunks->bytes, 0);
}

TEST_F(ToolTest, VerifyReadsAllBackAndFindsNothing) {
  (void)db_.admin("insert into sensus.sample_batches (tenant_id, bucket, t_min, t_max, series_id, ts, value) select 1, id % 64, "
                  "'2026-11-11 23:59:59+00', '2026-11-11 23:59:59+00', array[id], array['2026-11-11 23:59:59+00'::timestamptz], "
                  "array['NaN'::float8] from sensus.series limit 1");
  const VerifyProgress found = verify();
  EXPECT_EQ(found.bad_rows, 0) << found.problems.front();
  EXPECT_EQ(found.samples, 2 * kSeries * kSamples + 1);
  EXPECT_EQ(found.pages, found.pages_total);
  EXPECT_EQ(std::to_string(found.rows), db_.admin_value("select (select count(*) from sensus.sample_batches) + (select count(*) from "
                                                        "sensus.sample_chunks) + (select count(*) from sensus.rollups_5m) + (select "
                                                        "count(*) from sensus.rollups_1h)"));
}

TEST_F(ToolTest, VerifyFindsDamagedChunks) {
  const std::string chunks = "update sensus.sample_chunks set ";
  expect_found(chunks + "drift_us[2] = -900000000000 where series_id = 1", 4, "times do not ascend");
  expect_found(chunks + "value = value[2:] where series_id = 2", 4, "arrays differ in length: 24, 23");
  expect_found(chunks + "value[7] = null where series_id = 3", 4, "holds NULL");
  expect_found(chunks + "value = '{}', drift_us = '{}' where series_id = 4", 4, "arrays are empty");
  expect_found(chunks + "t_max = t_max + interval '1 ms' where series_id = 5", 4, "t_min and t_max");
  expect_found(chunks + "step_us = 3600000000, t_max = t_min + interval '23 hours' where series_id = 6 and t_min < '2026-11-10 05:00:00+00'", 1,
               "more than its window");
  expect_found(chunks + "value[3] = 4711 where series_id = 7", 4, "its rollups of 5 minutes are not those of its samples");
}

TEST_F(ToolTest, VerifyFindsDamagedRollups) {
  expect_found("update sensus.rollups_5m set total[3] = 4711 where series_id = 1", 4, "its rollups of 5 minutes are not");
  expect_found("delete from sensus.rollups_5m where series_id = 2", 4, "its rollups of 5 minutes are not");
  expect_found("update sensus.rollups_1h set newest[1] = 4711 where series_id = 3", 4, "its rollups of an hour are not");
  expect_found("update sensus.rollups_1h set slot[2] = slot[1] where series_id = 4", 4, "slots do not ascend");
  expect_found("update sensus.rollups_5m set samples[1] = 0 where series_id = 5", 4, "without samples");
}

TEST_F(ToolTest, VerifyFindsDamagedBatchRowsAndLostSeries) {
  const std::string batches = "update sensus.sample_batches set ";
  expect_found(batches + "value = value[2:] where bucket = 20", 1, "arrays differ in length");
  expect_found(batches + "ts[2] = null where bucket = 21", 1, "holds NULL");
  expect_found(batches + "t_min = t_min + interval '1 s' where bucket = 22", 1, "t_min and t_max");
  expect_found(batches + "series_id[2] = 1 where bucket = 23", 1, "series of another bucket");
  expect_found("delete from sensus.series where id = 24", 1, "series that do not exist");
  expect_found("delete from sensus.series where id = 25", 1, "its series does not exist");
}

TEST_F(ToolTest, ADatabaseThatIsAwayIsAnError) {
  pg::Options nowhere = db_.options();
  nowhere.url = "host=/nonexistent dbname=sensus user=sensus_app";
  storage::StorageTool tool(nowhere, telemetry::Log(), metrics_);
  EXPECT_FALSE(tool.stats_blocking(kDay).has_value());
  EXPECT_FALSE(tool.verify_blocking([](const VerifyProgress&) {}).has_value());
}

}  // namespace
}  // namespace sensus::test
