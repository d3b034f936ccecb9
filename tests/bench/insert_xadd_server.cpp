// What the seed does for a request: behind the HTTP server and the JSON reader of Sensus, one
// prepared INSERT and one XADD for each post, over sessions and connections of its own, answered
// when both are done.
//   insert_xadd_server CONNINFO REDIS_SOCKET SESSIONS READY_FILE
// Writes its address to READY_FILE and serves POST /api/v1/metrics until it is ended.
#include "sensus/codec/metrics_json.hpp"
#include "sensus/codec/model_json.hpp"
#include "sensus/core/clock.hpp"
#include "sensus/http/server.hpp"
#include "sensus/runtime/blocking_pool.hpp"
#include "sensus/runtime/runtime.hpp"

#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace sensus;

struct Freer {
  void operator()(PGconn* session) const { PQfinish(session); }
  void operator()(PGresult* result) const { PQclear(result); }
  void operator()(redisContext* connection) const { redisFree(connection); }
  void operator()(void* reply) const { freeReplyObject(reply); }
};

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

/// Of one thread of the pool.
struct Backends {
  Backends(const char* conninfo, const char* redis_socket)
      : session(PQconnectdb(conninfo)), redis(redisConnectUnix(redis_socket)) {
    if (PQstatus(session.get()) != CONNECTION_OK || redis == nullptr || redis->err != 0) {
      die(std::string("no connection: ") + PQerrorMessage(session.get()));
    }
    const std::unique_ptr<PGresult, Freer> prepared(PQprepare(
        session.get(), "one",
        "INSERT INTO public.seed_metrics (metric_name, metric_value, labels) VALUES ($1, $2, $3)",
        3, nullptr));
    if (PQresultStatus(prepared.get()) != PGRES_COMMAND_OK) {
      die(PQerrorMessage(session.get()));
    }
  }

  Result<bool> store(const std::string& name, const std::string& value, const std::string& labels,
                     const std::string& body) const {
    const char* const values[] = {name.c_str(), value.c_str(), labels.c_str()};
    const std::unique_ptr<PGresult, Freer> inserted(
        PQexecPrepared(session.get(), "one", 3, values, nullptr, nullptr, 0));
    if (PQresultStatus(inserted.get()) != PGRES_COMMAND_OK) {
      return make_error(Errc::unavailable, PQerrorMessage(session.get()));
    }
    const std::unique_ptr<void, Freer> added(redisCommand(
        redis.get(), "XADD seed_metrics MAXLEN ~ 100000 * data %b", body.data(), body.size()));
    if (added == nullptr) {
      return make_error(Errc::unavailable, redis->errstr);
    }
    return true;
  }

  std::unique_ptr<PGconn, Freer> session;
  std::unique_ptr<redisContext, Freer> redis;
};

struct Seed {
  std::vector<std::unique_ptr<Backends>> backends;
  runtime::BlockingPool* pool = nullptr;
  SystemClock clock;
  model::InputLimits limits;
};

boost::asio::awaitable<http::Response> post(Seed* seed, http::Request& request) {
  const auto parsed = codec::parse_metrics_json(request.body, seed->clock.now(), seed->limits);
  if (!parsed) {
    co_return http::to_response(parsed.error());
  }
  const model::SampleBatch::Row& row = parsed->rows().at(0);
  const auto series = model::decode_series_key(parsed->key(row)).value();
  std::function<Result<bool>(runtime::JobContext&)> job =
      [seed, name = series.metric_name, value = std::to_string(row.value),
       labels = codec::render_labels(series.labels),
       body = request.body](runtime::JobContext& context) {
        return seed->backends[context.worker()]->store(name, value, labels, body);
      };
  auto storing = seed->pool->submit<bool>(request.deadline, std::move(job));
  const Result<bool> stored = co_await std::move(storing);
  if (!stored) {
    co_return http::to_response(stored.error());
  }
  co_return http::Response::json(202, R"({"accepted":1})");
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) {
    std::fprintf(stderr, "usage: %s CONNINFO REDIS_SOCKET SESSIONS READY_FILE\n", words[0]);
    return 2;
  }
  telemetry::Metrics metrics;
  telemetry::LogSystem logs{telemetry::LogOptions{}};
  runtime::Runtime reactor;
  Seed seed;
  const auto sessions = static_cast<std::size_t>(std::atoi(words[3]));
  for (std::size_t i = 0; i < sessions; ++i) {
    seed.backends.push_back(std::make_unique<Backends>(words[1], words[2]));
  }
  runtime::BlockingPool pool(
      reactor.executor(), {.name = "seed", .threads = sessions, .queue_limit = 100'000}, metrics);
  seed.pool = &pool;
  http::Router router;
  http::Route route;
  route.method = http::Method::post;
  route.pattern = "/api/v1/metrics";
  route.handler = [&seed](http::Request& request) { return post(&seed, request); };
  router.add(std::move(route));
  http::Options options;
  options.listen = {"127.0.0.1:0"};
  http::Server server(reactor.executor(), options, router, logs.log("http"), metrics);
  if (const Result<> listening = server.listen(); !listening) {
    die(listening.error().message);
  }
  std::ofstream(words[4]) << server.local_endpoints().at(0) << std::endl;
  const auto busy = boost::asio::make_work_guard(reactor.executor());
  reactor.run();
}
