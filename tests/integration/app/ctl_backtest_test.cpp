#include "sensus/app/ctl.hpp"
#include "support/services.hpp"

#include "temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
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
  words.insert(words.begin(), {"sensusctl"});
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

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) {
    out.push_back(line);
  }
  return out;
}

std::size_t count(const std::vector<std::string>& lines, const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      lines, [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}

void add_series(TestDatabase& db, const std::string& name, const std::string& labels) {
  (void)db.admin(
      "insert into sensus.series (tenant_id, fingerprint, metric_name, labels) values (1, "
      "decode(md5('" +
      name + labels + "'), 'hex'), '" + name + "', '" + labels + "')");
}

/// Two samples a minute over `days` days from 2026-01-01 on, of `value` (SQL, of the second `n`).
void write_days(TestDatabase& db, const std::string& name, int days, const std::string& value) {
  for (int day = 0; day < days; ++day) {
    const std::string date = "2026-01-0" + std::to_string(day + 1);
    (void)db.admin("select sensus.make_partitions('" + date + "', '" + date + "')");
    (void)db.admin(
        "insert into sensus.sample_batches (tenant_id, bucket, t_min, t_max, series_id, ts, value) "
        "select 1, s.id % 64, min(t), max(t), "
        "array_agg(s.id order by t), array_agg(t order by t), array_agg((" +
        value +
        ")::float8 order by t) from sensus.series s, "
        "generate_series('" +
        date + " 00:00:00+00'::timestamptz, '" + date +
        " 23:59:30+00', '30 seconds') t, "
        "lateral (select extract(epoch from t - '2026-01-01 00:00:00+00')::int as n) x where "
        "s.metric_name = '" +
        name + "' group by s.id");
  }
}

class CtlBacktest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder.path() / name).string();
  }
  [[nodiscard]] Outcome backtest(const std::string& series,
                                 std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"backtest",   "--series", series,         "--from",
                                   "2026-01-01", "--output", path("out.csv")};
    words.insert(words.end(), more.begin(), more.end());
    return ctl(db, words);
  }
  TestDatabase db;
  app::test::TemporaryDirectory folder;
};

/// Of half a minute each: two values a minute, whose mean is 50 and a wave. A jump at noon of the
/// second day.
const char* const kWave =
    "50 + 10 * sin(n / 1800.0) + (n / 30 % 2) * 2 - 1 + (n / 60 * 7919 % 13) / 5.0 + case when n "
    "between 129600 and 130199 then 80 else 0 end";

TEST_F(CtlBacktest, FindsAJumpInWhatIsStoredCompactedOrNot) {
  add_series(db, "load", R"({"host": "a"})");
  write_days(db, "load", 2, kWave);
  const std::vector<std::string> span{"--to", "2026-01-03", "--plot", path("out.html")};
  Outcome outcome = backtest("load", span);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out,
              ::testing::MatchesRegex(
                  "load\\{host=\"a\"\\}: 2880 steps, [0-9]+ notable, [1-9][0-9]* alerting\n"));
  const std::vector<std::string> fresh = lines_of(path("out.csv"));
  ASSERT_EQ(fresh.size(), 2881U) << "a mean a minute";
  EXPECT_EQ(fresh[0], "timestamp,value,anomaly_score,alert,kind,alerting");
  EXPECT_EQ(fresh[1], "2026-01-01T00:00:00Z,50.08332947536223,0.000000,0,,0");
  EXPECT_THAT(fresh[2161],
              ::testing::MatchesRegex("2026-01-02T12:00:00Z,1[0-9.]+,0\\.9[0-9]*,1,range,1"))
      << "found at its first minute";
  EXPECT_LE(count(std::vector<std::string>(fresh.begin(), fresh.begin() + 2161), ",1,"), 3U)
      << "and little is found before it";
  EXPECT_EQ(lines_of(path("out.html")).front(), "<!doctype html>");

  ASSERT_EQ(ctl(db, {"storage", "compact"}).code, 0);
  ASSERT_EQ(db.admin_value("select count(*) from sensus.sample_batches"), "0");
  outcome = backtest("load", span);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(lines_of(path("out.csv")), fresh);

  outcome = backtest("load", {"--to", "2026-01-02 14:00"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::vector<std::string> part = lines_of(path("out.csv"));
  EXPECT_EQ(part, std::vector<std::string>(fresh.begin(), fresh.begin() + 2281))
      << "the future changes nothing";
}

TEST_F(CtlBacktest, CountersAreRatesByMetadataOrByName) {
  add_series(db, "requests_total", "{}");
  add_series(db, "odometer", "{}");
  write_days(db, "requests_total", 1, "n * 3");
  write_days(db, "odometer", 1, "n * 3");
  Outcome outcome =
      backtest("{__name__=~\"requests_total|odometer\"}", {"--to", "2026-01-02", "--step", "5m"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::vector<std::string> lines = lines_of(path("out.csv"));
  EXPECT_EQ(lines.front(), "series,timestamp,value,anomaly_score,alert,kind,alerting");
  EXPECT_EQ(count(lines, "requests_total,"), 287U) << "the first step has no rate";
  EXPECT_EQ(count(lines, "odometer,"), 288U);
  EXPECT_EQ(lines[1], "requests_total,2026-01-01T00:05:00Z,3,0.000000,0,,0");

  (void)db.admin(
      "insert into sensus.metric_metadata (tenant_id, family, type) values (1, 'odometer', "
      "'counter'), (1, 'requests_total', 'gauge')");
  outcome = backtest("{__name__=~\"requests_total|odometer\"}",
                     {"--to", "2026-01-02", "--step", "5m", "--plot", path("out.svg")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  lines = lines_of(path("out.csv"));
  EXPECT_EQ(count(lines, "requests_total,"), 288U);
  EXPECT_EQ(count(lines, "odometer,"), 287U);
  EXPECT_EQ(count(lines_of(path("out.svg")), "odometer per second</text>"), 1U);
}

TEST_F(CtlBacktest, RefusesWhatItCannotDo) {
  EXPECT_THAT(backtest("nothing").err, ::testing::HasSubstr("--series selects no series"));
  for (int i = 0; i < 21; ++i) {
    add_series(db, "many", R"({"i": ")" + std::to_string(i) + "\"}");
  }
  Outcome outcome = backtest("many");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, ::testing::HasSubstr("more than 20 series"));
  EXPECT_EQ(backtest("many{i!=\"3\"}").code, 0) << "twenty are taken";
  EXPECT_EQ(ctl(db, {"backtest", "--series", "a", "--output", path("out.csv")}).code, 2)
      << "--from is needed";
  EXPECT_EQ(backtest("a", {"--input", "in.csv"}).code, 2) << "one source alone";
}

}  // namespace
}  // namespace sensus::test
