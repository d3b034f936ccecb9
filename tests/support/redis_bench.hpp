#pragma once

#include "sensus/redis/client.hpp"
#include "sensus/runtime/async.hpp"
#include "sensus/runtime/task_group.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace sensus::test {

/// "XADD key * a b" as a command. Commands are made in plain functions: GCC 12 cannot keep an
/// initialiser list of strings in the frame of a coroutine.
inline redis::Command words(const std::string& text) {
  redis::Command command;
  std::istringstream in(text);
  for (std::string word; in >> word;) {
    command.push_back(word);
  }
  return command;
}

/// Waits until the condition holds; fails the test when it does not within 10 s.
inline runtime::Task until(std::function<bool()> condition, std::string what) {
  const Deadline limit = Deadline::after(std::chrono::seconds{10});
  while (!condition() && !limit.expired()) {
    (void)co_await runtime::sleep(std::chrono::milliseconds{2});
  }
  EXPECT_TRUE(condition()) << "waited for: " << what;
}

inline runtime::Task until_connected(const redis::Client& client) {
  const Deadline limit = Deadline::after(std::chrono::seconds{10});
  while (!client.connected() && !limit.expired()) {
    (void)co_await runtime::sleep(std::chrono::milliseconds{2});
  }
  EXPECT_TRUE(client.connected()) << client.health().reason;
}

/// The value of one line of /metrics, -1 when it is not there.
inline double series_value(const telemetry::Metrics& metrics, const std::string& series) {
  const std::string page = metrics.render();
  const std::size_t at = page.find("\n" + series + " ");
  return at == std::string::npos ? -1 : std::stod(page.substr(at + series.size() + 2));
}

/// A client on the test's reactor with what it needs; `ask` sends words and yields the reply, or
/// fails the test.
struct RedisBench {
  RedisBench(const runtime::Executor& executor, const redis::Options& options)
      : tasks(executor, {}),
        client(std::make_unique<redis::Client>(executor, "bench", options, telemetry::Log{},
                                               metrics)) {
    tasks.spawn("client", client->run());
  }
  [[nodiscard]] runtime::Async<redis::Reply> ask(std::string text) {
    redis::Command command = words(text);
    const Deadline deadline = Deadline::after(std::chrono::seconds{3});
    Result<redis::Reply> reply = co_await client->command(deadline, std::move(command));
    if (!reply) {
      ADD_FAILURE() << text << ": " << reply.error().message;
    }
    co_return reply;
  }
  [[nodiscard]] runtime::Task finish() {
    client->stop();
    Result<> stopped = co_await tasks.stop(std::chrono::seconds{5});
    EXPECT_TRUE(stopped);
  }

  telemetry::Metrics metrics;
  runtime::TaskGroup tasks;
  std::unique_ptr<redis::Client> client;
};

}  // namespace sensus::test
