#include "escape_internal.hpp"
#include "log_internal.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <limits>
#include <regex>
#include <unistd.h>

namespace sensus::telemetry {
namespace {

struct Captured {
  std::vector<std::string> lines;
  [[nodiscard]] auto writer() {
    return [this](std::string_view line) { lines.emplace_back(line); };
  }
};

TEST(Log, JsonLineHasTimeLevelMessageComponentThenFields) {
  Captured captured;
  LogSystem system({LogLevel::info, LogFormat::json}, captured.writer());

  system.log("relay").warning("Redis is away", {{"attempt", 3}, {"wait_s", 1.5}, {"final", false}, {"host", "db \"1\""}});

  ASSERT_EQ(captured.lines.size(), 1U);
  EXPECT_TRUE(std::regex_match(
      captured.lines[0],
      std::regex(R"re(\{"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"warning","msg":"Redis is away",)re"
                 R"re("component":"relay","attempt":3,"wait_s":1.5,"final":false,"host":"db \\"1\\""\})re")))
      << captured.lines[0];
}

TEST(Log, TimeHasThreeFractionDigitsEvenOnAFullSecond) {
  const Line line{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20} + std::chrono::hours{9}, LogLevel::info, "c", "m", {}};
  EXPECT_EQ(render_json(line, 0), R"({"ts":"2026-11-20T09:00:00.000Z","level":"info","msg":"m","component":"c"})");
}

TEST(Log, TextLineIsReadableAndQuotesOnlyWhatNeedsIt) {
  const Line line{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20} + std::chrono::milliseconds{7}, LogLevel::error,
                  "http",   "cannot bind", {{"address", "127.0.0.1:80"}, {"reason", "Permission denied"}, {"n", -1}}};
  EXPECT_EQ(render_text(line, 4),
            "2026-11-20T00:00:00.007Z ERROR http: cannot bind address=127.0.0.1:80 reason=\"Permission denied\" n=-1 suppressed=4");
}

TEST(Log, EscapesWhatWouldForgeALineOrATerminal) {
  std::string out;
  append_quoted(out, "a\r\nb\t\x1b[31m\x7f \xC2\x9B \xE2\x80\xAE \xE2\x80\xA8 \xEF\xBB\xBF \xF3\xA0\x81\x81 \\ \"");
  EXPECT_EQ(out, "\"a\\r\\nb\\t\\u001b[31m\\u007f \\u009b \\u202e \\u2028 \\ufeff \\udb40\\udc41 \\\\ \\\"\"");
}

TEST(Log, KeepsOrdinaryUnicodeAndReplacesInvalidBytes) {
  std::string out;
  append_quoted(out, "caf\xC3\xA9 \xF0\x9F\x94\xA5 \xFF\xC3(\xE2\x82");
  EXPECT_EQ(out, "\"caf\xC3\xA9 \xF0\x9F\x94\xA5 \xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(Log, ClipsLongTextOnACharacterBoundary) {
  std::string at_limit(kTextBytesMax, 'x');
  std::string out;
  append_escaped(out, at_limit);
  EXPECT_EQ(out, at_limit);

  std::string over(kTextBytesMax - 1, 'x');
  out.clear();
  append_escaped(out, over + "\xC3\xA9");
  EXPECT_EQ(out, over + "...");
}

TEST(Log, NumbersThatJsonCannotHoldBecomeText) {
  const Line line{{}, LogLevel::info, "c", "m", {{"a", std::numeric_limits<double>::quiet_NaN()}, {"b", -std::numeric_limits<double>::infinity()}}};
  EXPECT_NE(render_json(line, 0).find(R"("a":"NaN","b":"-Inf")"), std::string::npos);
}

TEST(Log, LevelCanBeChangedWhileRunning) {
  Captured captured;
  LogSystem system({LogLevel::warning, LogFormat::text}, captured.writer());
  const Log log = system.log("x");

  log.info("hidden");
  EXPECT_FALSE(log.enabled(LogLevel::info));
  system.set_level(LogLevel::debug);
  log.debug("shown");

  ASSERT_EQ(captured.lines.size(), 1U);
  EXPECT_NE(captured.lines[0].find("DEBUG x: shown"), std::string::npos);
}

TEST(Log, DefaultConstructedIsSilent) {
  const Log log;
  EXPECT_FALSE(log.enabled(LogLevel::critical));
  log.error("nowhere");
  log.throttled(LogLevel::error, "k", "nowhere");
  EXPECT_FALSE(log.named("other").enabled(LogLevel::critical));
}

TEST(Log, NamedSharesTheSink) {
  Captured captured;
  LogSystem system({LogLevel::info, LogFormat::text}, captured.writer());
  system.log("a").named("b").info("hello");
  ASSERT_EQ(captured.lines.size(), 1U);
  EXPECT_NE(captured.lines[0].find(" b: hello"), std::string::npos);
}

TEST(Log, ThrottledWritesTheFirstOfABurst) {
  Captured captured;
  LogSystem system({LogLevel::info, LogFormat::json}, captured.writer());
  const Log log = system.log("pg");
  for (int i = 0; i < 1000; ++i) {
    log.throttled(LogLevel::error, "connect", "cannot connect");
  }
  log.throttled(LogLevel::error, "other", "something else");
  log.named("redis").throttled(LogLevel::error, "connect", "same key, other component");
  EXPECT_EQ(captured.lines.size(), 3U);
}

TEST(Throttle, CountsWhatItSuppressedUntilTheWindowEnds) {
  Throttle throttle(std::chrono::seconds{30});
  const Throttle::TimePoint start{};
  EXPECT_EQ(throttle.pass("k", start), 0U);
  EXPECT_EQ(throttle.pass("k", start + std::chrono::seconds{1}), std::nullopt);
  EXPECT_EQ(throttle.pass("k", start + std::chrono::milliseconds{29'999}), std::nullopt);
  EXPECT_EQ(throttle.pass("k", start + std::chrono::seconds{30}), 2U);
  EXPECT_EQ(throttle.pass("k", start + std::chrono::seconds{60}), 0U);
}

TEST(Throttle, ForgetsTheOldestKeysBeyondItsLimit) {
  Throttle throttle(std::chrono::seconds{30});
  for (int i = 0; i < 513; ++i) {
    EXPECT_EQ(throttle.pass(std::to_string(i), Throttle::TimePoint{} + std::chrono::milliseconds{i}), 0U);
  }
  EXPECT_EQ(throttle.pass("0", Throttle::TimePoint{} + std::chrono::seconds{1}), 0U);
  EXPECT_EQ(throttle.pass("512", Throttle::TimePoint{} + std::chrono::seconds{1}), std::nullopt);
}

/// Puts one end of a pipe in place of stderr for the life of the object.
class StderrPipe {
 public:
  StderrPipe() {
    EXPECT_EQ(::pipe(ends_.data()), 0);
    saved_ = ::dup(STDERR_FILENO);
    ::dup2(ends_[1], STDERR_FILENO);
  }
  ~StderrPipe() {
    ::dup2(saved_, STDERR_FILENO);
    ::close(saved_);
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  std::string read_available() const {
    ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    std::string out;
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = ::read(ends_[0], buffer.data(), buffer.size())) > 0;) {
      out.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return out;
  }

 private:
  std::array<int, 2> ends_{};
  int saved_ = -1;
};

TEST(LogSystem, ShutdownFlushesToStderr) {
  StderrPipe pipe;
  LogSystem system(LogOptions{LogLevel::info, LogFormat::automatic});
  system.log("a").info("first");
  system.log("a").info("second");
  system.shutdown();
  system.log("a").info("after the end");

  const std::string text = pipe.read_available();
  EXPECT_NE(text.find("\"msg\":\"first\""), std::string::npos);
  EXPECT_NE(text.find("\"msg\":\"second\""), std::string::npos);
  EXPECT_EQ(text.find("after the end"), std::string::npos);
  EXPECT_EQ(system.dropped_lines(), 0U);
}

TEST(LogSystem, AStalledReaderCostsLinesButNeverBlocks) {
  StderrPipe pipe;
  LogSystem system(LogOptions{LogLevel::info, LogFormat::json});
  const Log log = system.log("flood");
  const std::string padding(200, 'x');
  // Nobody reads the pipe: a writer that waits for it never comes out of this loop, nor out of shutdown.
  for (int i = 0; i < 20'000; ++i) {
    log.info("line", {{"padding", padding}});
  }
  EXPECT_GT(system.dropped_lines(), 1000U);
  system.shutdown();
}

}  // namespace
}  // namespace sensus::telemetry
