#include "sensus/app/ctl.hpp"
#include "support/services.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace sensus::test {
namespace {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

Outcome ctl(const TestDatabase& db, std::vector<std::string> words) {
  words.insert(words.begin(), {"sensusctl", "storage"});
  words.insert(words.end(), {"--database", db.options().url});
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = app::run_ctl(static_cast<int>(words.size()), argv.data());
  outcome.out = ::testing::internal::GetCapturedStdout();
  outcome.err = ::testing::internal::GetCapturedStderr();
  return outcome;
}

/// A day of one series, long closed.
void write_day(TestDatabase& db) {
  (void)db.admin("select sensus.make_partitions('2026-01-01', '2026-01-01')");
  (void)db.admin("insert into sensus.series (tenant_id, fingerprint, metric_name, labels) values (1, decode(md5('a'), 'hex'), 'a', '{}')");
  (void)db.admin(
      "insert into sensus.sample_batches (tenant_id, bucket, t_min, t_max, series_id, ts, value) select 1, s.id % 64, min(t), max(t), "
      "array_agg(s.id order by t), array_agg(t order by t), array_agg(1.5 order by t) from sensus.series s, "
      "generate_series('2026-01-01 00:00:00+00'::timestamptz, '2026-01-01 23:59:00+00', '1 minute') t group by s.id");
}

TEST(CtlStorage, StatsCompactVerify) {
  TestDatabase db;
  write_day(db);
  Outcome outcome = ctl(db, {"stats", "--output", "json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  nlohmann::json stats = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(stats["batches"]["samples"], 1440);
  EXPECT_EQ(stats["chunks"]["samples"], 0);
  EXPECT_EQ(stats["backlog_buckets"], 1);

  outcome = ctl(db, {"compact"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "compacted 1 buckets with 1440 samples, emptied 1 days\n");
  outcome = ctl(db, {"compact", "--output", "json"});
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["buckets"], 0) << "nothing waits any more";

  outcome = ctl(db, {"stats"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.out.find("samples in chunks:     about 1440, "), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("samples from:          2026-01-01T00:00:00Z to 2026-01-01T23:59:00Z"), std::string::npos) << outcome.out;

  outcome = ctl(db, {"verify"});
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_EQ(outcome.out, "12 rows with 1440 samples read back, 0 bad\n");
}

TEST(CtlStorage, VerifySaysWhatIsDamagedAndExitsWithOne) {
  TestDatabase db;
  write_day(db);
  ASSERT_EQ(ctl(db, {"compact"}).code, 0);
  (void)db.admin("update sensus.sample_chunks set value[1] = 2 where t_min = '2026-01-01 06:00:00+00'");
  Outcome outcome = ctl(db, {"verify"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.out.find("series 1, from 2026-01-01 06:00:00+00: its rollups of 5 minutes are not those of its samples"),
            std::string::npos)
      << outcome.out;
  outcome = ctl(db, {"verify", "--output", "json"});
  EXPECT_EQ(outcome.code, 1);
  const nlohmann::json found = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(found["bad_rows"], 1);
  EXPECT_EQ(found["problems"].size(), 1U);
}

TEST(CtlStorage, WrongFlagsAreTwoAndADatabaseThatIsAwayIsOne) {
  TestDatabase db;
  EXPECT_EQ(ctl(db, {}).code, 2);
  EXPECT_EQ(ctl(db, {"polish"}).code, 2);
  EXPECT_EQ(ctl(db, {"stats", "--output", "xml"}).code, 2);
  (void)db.admin("drop schema sensus cascade");
  const Outcome outcome = ctl(db, {"stats"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_FALSE(outcome.err.empty());
  EXPECT_TRUE(outcome.out.empty());
}

}  // namespace
}  // namespace sensus::test
