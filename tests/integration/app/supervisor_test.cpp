#include "supervisor_internal.hpp"

#include "temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <mutex>
#include <thread>

namespace sensus::app {
namespace {

using telemetry::LogLevel;
using testing::HasSubstr;

class SupervisorTest : public testing::Test {
 protected:
  ServiceSpec service(const std::string& script) {
    ServiceSpec spec;
    spec.name = "child";
    spec.child.argv = {"/bin/sh", "-c", script};
    spec.child.environment = {"PATH=/usr/bin:/bin"};
    spec.child.directory = directory_.path().string();
    spec.ready = [this](pid_t) { return std::filesystem::exists(directory_.path() / "ready"); };
    spec.level_of = [](std::string_view) { return LogLevel::info; };
    return spec;
  }
  std::string log_text() {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  /// How often the script wrote a line to `starts`.
  std::size_t starts() {
    std::ifstream stream(directory_.path() / "starts");
    std::size_t count = 0;
    for (std::string line; std::getline(stream, line);) {
      ++count;
    }
    return count;
  }

  test::TemporaryDirectory directory_;
  std::mutex mutex_;
  std::string text_;
  telemetry::LogSystem logs_{{LogLevel::debug, telemetry::LogFormat::text}, [this](std::string_view line) {
                               const std::lock_guard lock(mutex_);
                               text_.append(line).append("\n");
                             }};
  telemetry::Metrics metrics_;
};

TEST_F(SupervisorTest, StartsForwardsOutputAndStops) {
  Supervisor supervisor({service("echo hello; touch ready; exec sleep 60")}, logs_.log("x"), metrics_);
  ASSERT_TRUE(supervisor.wait_ready_blocking(Deadline::after(10s)));
  EXPECT_THAT(metrics_.render(), HasSubstr("sensus_embedded_up{service=\"child\"} 1"));
  EXPECT_TRUE(supervisor.stop_blocking(Deadline::after(10s)));
  EXPECT_THAT(log_text(), HasSubstr("child: hello"));
}

TEST_F(SupervisorTest, StartsAgainWhatDies) {
  Supervisor supervisor({service("echo x >> starts; [ $(wc -l < starts) -lt 3 ] && exit 7; touch ready; exec sleep 60")}, logs_.log("x"),
                        metrics_);
  ASSERT_TRUE(supervisor.wait_ready_blocking(Deadline::after(20s)));
  EXPECT_EQ(starts(), 3U);
  EXPECT_THAT(metrics_.render(), HasSubstr("sensus_embedded_restarts_total{service=\"child\"} 2"));
  EXPECT_THAT(log_text(), HasSubstr("exit code 7"));
  EXPECT_TRUE(supervisor.stop_blocking(Deadline::after(10s)));
}

TEST_F(SupervisorTest, AProgramThatCannotStartIsReportedAndTriedAgain) {
  ServiceSpec spec = service("");
  spec.child.argv = {"/nowhere/program"};
  Supervisor supervisor({spec}, logs_.log("x"), metrics_);
  EXPECT_FALSE(supervisor.wait_ready_blocking(Deadline::after(500ms)));
  EXPECT_THAT(log_text(), HasSubstr("/nowhere/program"));
  EXPECT_TRUE(supervisor.stop_blocking(Deadline::after(10s)));
}

TEST_F(SupervisorTest, EndsTheHardWayWhatIgnoresTheSoft) {
  Supervisor supervisor({service("trap '' TERM; touch ready; while :; do sleep 1; done")}, logs_.log("x"), metrics_);
  ASSERT_TRUE(supervisor.wait_ready_blocking(Deadline::after(10s)));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_FALSE(supervisor.stop_blocking(Deadline::after(1s)));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 5s);
}

TEST_F(SupervisorTest, AStaleProcessIsEndedAndOthersAreLeftAlone) {
  ChildSpec spec = service("trap '' TERM; while :; do sleep 1; done").child;
  auto child = ChildProcess::start(spec);
  ASSERT_TRUE(child);
  const Deadline deadline = Deadline::after(10s);
  while (!is_process_in(child->pid(), directory_.path()) && !deadline.expired()) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_TRUE(stop_stale_blocking(Deadline::after(1s), child->pid(), "/usr", SIGTERM, SIGKILL));
  EXPECT_TRUE(child->running());
  EXPECT_TRUE(stop_stale_blocking(Deadline::after(1s), child->pid(), directory_.path(), SIGTERM, SIGKILL));
  while (child->running() && !deadline.expired()) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_FALSE(child->running());
}

}  // namespace
}  // namespace sensus::app
