#include "backtest_internal.hpp"
#include "backtest_plot_internal.hpp"
#include "stored_backtest_internal.hpp"

#include "sensus/app/ctl.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace sensus::app {
namespace {

class Backtest : public testing::Test {
 protected:
  Backtest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "backtest_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Backtest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const {
    return (folder_ / name).string();
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
  }
  [[nodiscard]] std::vector<std::string> lines(const std::string& name) const {
    std::ifstream in(path(name));
    std::vector<std::string> out;
    for (std::string line; std::getline(in, line);) {
      out.push_back(line);
    }
    return out;
  }
  [[nodiscard]] Result<> run(BacktestOptions options = {}) const {
    options.input = path("in.csv");
    options.output = path("out.csv");
    return run_backtest(options);
  }

 private:
  std::filesystem::path folder_;
};

std::string wave(std::size_t rows) {
  std::ostringstream out;
  out << "timestamp,value\n";
  for (std::size_t i = 0; i < rows; ++i) {
    const double value =
        50 + 20 * std::sin(static_cast<double>(i) / 46) + static_cast<double>(i * 7919 % 13) / 5;
    out << 1'740'960'000 + 300 * i << ',' << (i == 1500 ? 500 : value) << '\n';
  }
  return out.str();
}

TEST_F(Backtest, WritesARowForEachRow) {
  write("in.csv", wave(1600));
  ASSERT_TRUE(run());
  const auto out = lines("out.csv");
  ASSERT_EQ(out.size(), 1601U);
  EXPECT_EQ(out[0], "timestamp,value,anomaly_score,alert,kind,alerting");
  EXPECT_EQ(out[1], "1740960000,50,0.000000,0,,0");
  EXPECT_THAT(out[1501], testing::MatchesRegex("1741410000,500,0\\.9[0-9]*,1,range,1"));
}

TEST_F(Backtest, ATruncatedInputGivesTheSameRows) {
  write("in.csv", wave(1600));
  ASSERT_TRUE(run());
  const auto whole = lines("out.csv");
  for (const std::size_t rows : {1UL, 61UL, 700UL, 1501UL}) {
    write("in.csv", wave(rows));
    ASSERT_TRUE(run());
    const auto part = lines("out.csv");
    ASSERT_EQ(part.size(), rows + 1);
    for (std::size_t i = 0; i < part.size(); ++i) {
      ASSERT_EQ(part[i], whole[i]) << i;
    }
  }
}

TEST_F(Backtest, ReadsTheFormsOfTime) {
  write("in.csv",
        "\xEF\xBB\xBFvalue,note,timestamp\r\n1,a,2025-03-03 "
        "00:00:00\r\n2,b,2025-03-03T00:05:00Z\r\n3,,2025-03-03T01:10:00+01:00\r\n"
        "4,,1740960900\r\n5,,1740961200.5\r\n6,,1740961500000\r\n,,2025-03-03 "
        "00:30\r\nNaN,,2025-03-03 00:35:00.25\r\n\r\n");
  const Result<> done = run();
  ASSERT_TRUE(done) << done.error().message;
  const auto out = lines("out.csv");
  ASSERT_EQ(out.size(), 9U);
  EXPECT_EQ(out[1], "2025-03-03 00:00:00,1,0.000000,0,,0");
  EXPECT_EQ(out[7], "2025-03-03 00:30,,0.000000,0,,0");
}

TEST_F(Backtest, MistakesNameTheLine) {
  const auto message = [&](const std::string& text) {
    write("in.csv", text);
    const Result<> done = run();
    return done ? std::string() : done.error().message;
  };
  EXPECT_THAT(message(""), testing::HasSubstr("first line must name"));
  EXPECT_THAT(message("a,b\n1,2\n"), testing::HasSubstr("first line must name"));
  EXPECT_THAT(message("timestamp,value\n1,2\nyesterday,2\n"), testing::HasSubstr("in.csv:3: "));
  EXPECT_THAT(message("timestamp,value\n1,two\n"), testing::HasSubstr("in.csv:2: "));
  EXPECT_THAT(message("timestamp,value\n1e300,2\n"), testing::HasSubstr("in.csv:2: "));
  EXPECT_EQ(message("timestamp,value\n"), "");
  EXPECT_THAT(run({.profile = "huge"}).error().message,
              testing::HasSubstr("compact, standard, thorough"));
}

TEST_F(Backtest, GatesHoldBack) {
  write("in.csv", wave(1600));
  const auto is_alert = [&](const BacktestOptions& options) {
    EXPECT_TRUE(run(options));
    return lines("out.csv")[1501].find(",1,range,") != std::string::npos;
  };
  EXPECT_TRUE(is_alert({.direction = "above"}));
  EXPECT_FALSE(is_alert({.direction = "below"}));
  EXPECT_FALSE(is_alert({.gates = {.deviation_min = 1000}}));
  EXPECT_FALSE(is_alert({.warmup = 1600}));
  EXPECT_THAT(run({.direction = "up"}).error().message, testing::HasSubstr("both, above, below"));
}

TEST_F(Backtest, DrawsWhatItFound) {
  write("in.csv", wave(1600));
  ASSERT_TRUE(run({.plot = path("out.svg")}));
  std::ostringstream svg;
  svg << std::ifstream(path("out.svg")).rdbuf();
  EXPECT_THAT(svg.str(), testing::StartsWith("<svg "));
  EXPECT_THAT(svg.str(), testing::HasSubstr(": range, alerting</title>"));
  ASSERT_TRUE(run({.plot = path("out.html")}));
  EXPECT_THAT(lines("out.html").front(), "<!doctype html>");
  EXPECT_FALSE(run({.plot = path("none/out.svg")}));
  write("in.csv", "timestamp,value\n");
  EXPECT_TRUE(run({.plot = path("out.svg")}));
}

TEST(BacktestPlot, KeepsItsSizeWhateverComes) {
  BacktestPlot plot;
  ml::Verdict verdict;
  for (int i = 0; i < 100'000; ++i) {
    verdict.is_anomaly = i % 2 == 0;
    plot.add(from_unix_us(1'740'960'000'000'000) + std::chrono::seconds(i), i % 7, verdict);
  }
  EXPECT_LT(plot.render("a < b").size(), 2'000'000U);
  EXPECT_THAT(plot.render("a < b"), testing::HasSubstr("a &lt; b"));
}

TEST(BacktestPlot, SeveralStandBelowEachOther) {
  const BacktestPlot plot;
  const std::vector<TitledPlot> plots{{"one", plot}, {"two", plot}};
  EXPECT_THAT(render_svg(plots), testing::HasSubstr("viewBox='0 0 1200.0 720.0'"));
  EXPECT_THAT(render_svg(plots), testing::HasSubstr("y='360' width='1200.0'"));
  EXPECT_THAT(render_html(plots), testing::AllOf(testing::HasSubstr("<title>2 series</title>"), testing::HasSubstr(">two</text>")));
}

TEST(SeriesBacktest, OfACounterScoresRates) {
  const auto make = [](bool is_counter) { return SeriesBacktest(make_backtest_detector({}).value(), "x,", is_counter); };
  const Timestamp start = from_unix_us(1'740'960'000'000'000);
  SeriesBacktest counter = make(true);
  EXPECT_EQ(counter.score({start, 100}), "");
  EXPECT_EQ(counter.score({start + 60s, 160}), "x,2025-03-03T00:01:00Z,1,0.000000,0,,0\n");
  EXPECT_EQ(counter.score({start + 120s, 30}), "x,2025-03-03T00:02:00Z,0.5,0.000000,0,,0\n") << "it began again";
  EXPECT_EQ(counter.summary(), "2 steps, 0 notable, 0 alerting");
  SeriesBacktest gauge = make(false);
  EXPECT_EQ(gauge.score({start, 100}), "x,2025-03-03T00:00:00Z,100,0.000000,0,,0\n");
}

TEST(SeriesBacktest, NamesAreQuotedWhereTheyMust) {
  EXPECT_EQ(quote_csv("up"), "up");
  EXPECT_EQ(quote_csv("cpu{host=\"a\"}"), "\"cpu{host=\"\"a\"\"}\"");
}

TEST(SeriesBacktest, MistakesNameTheFlag) {
  const auto message = [](const BacktestOptions& options) {
    const Result<> done = run_stored_backtest(options, {});
    return done ? std::string() : done.error().message;
  };
  EXPECT_THAT(message({.series = "cpu{"}), testing::StartsWith("--series: "));
  EXPECT_THAT(message({.series = "cpu", .from = "once", .to = "2"}), testing::HasSubstr("--from is not a time: once"));
  EXPECT_THAT(message({.series = "cpu", .from = "1", .to = "then"}), testing::HasSubstr("--to is not a time: then"));
  EXPECT_THAT(message({.series = "cpu", .from = "120", .to = "130"}), testing::HasSubstr("--from must be a step or more before --to"));
  EXPECT_THAT(message({.series = "cpu", .from = "1", .to = "200", .step = "500ms"}), testing::HasSubstr("--step is 1s to 1d"));
  EXPECT_THAT(message({.profile = "huge", .series = "cpu", .from = "1", .to = "200"}), testing::HasSubstr("--profile is one of"));
}

TEST_F(Backtest, IsAVerbOfSensusctl) {
  write("in.csv", wave(100));
  std::vector<std::string> words{"sensusctl", "backtest",      "--input", path("in.csv"),
                                 "--output",  path("out.csv"), "--seed",  "7"};
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  EXPECT_EQ(run_ctl(static_cast<int>(argv.size()), argv.data()), 0);
  EXPECT_EQ(lines("out.csv").size(), 101U);
  words.insert(words.end(), {"--config", path("bad.yaml")});
  write("bad.yaml", "anomaly:\n  warmup: many\n");
  argv.clear();
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  EXPECT_EQ(run_ctl(static_cast<int>(argv.size()), argv.data()), 1);
  write("bad.yaml", "anomaly:\n  warmup: 90\nserver:\n  listen: [\"127.0.0.1:9999\"]\n");
  EXPECT_EQ(run_ctl(static_cast<int>(argv.size()), argv.data()), 0);
  words[3] = path("none.csv");
  argv[3] = words[3].data();
  EXPECT_EQ(run_ctl(static_cast<int>(argv.size()), argv.data()), 1);
}

}  // namespace
}  // namespace sensus::app
