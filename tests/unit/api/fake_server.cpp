// The routes over fakes behind the real HTTP server on a free port, which it prints; serves until its input ends.
#include "fakes.hpp"

#include "sensus/http/server.hpp"
#include "sensus/runtime/runtime.hpp"

#include <iostream>
#include <thread>

int main() {
  sensus::runtime::Runtime reactor;
  sensus::api::test::World world;
  world.health.add("database", true, [] { return sensus::telemetry::HealthReport{}; });
  world.health.add("redis", false, [] { return sensus::telemetry::HealthReport{}; });
  world.flow.batches = {{sensus::api::test::make_entry("5-0", "alert", R"({"alert_id":42})")}};
  const sensus::http::Router router = world.make();
  sensus::http::Options options;
  options.listen = {"127.0.0.1:0"};
  sensus::http::Server server(reactor.executor(), options, router, world.logs.log("http"), world.metrics);
  if (const auto listening = server.listen(); !listening) {
    std::cerr << listening.error().message << "\n";
    return 1;
  }
  std::cout << "http://" << server.local_endpoints().front() << std::endl;
  std::thread watcher([&reactor] {
    std::string line;
    while (std::getline(std::cin, line)) {
    }
    reactor.stop();
  });
  reactor.run();
  watcher.join();
  return 0;
}
