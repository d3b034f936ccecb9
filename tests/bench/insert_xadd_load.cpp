// What the seed does for a request, without its HTTP: one INSERT and one XADD, over real sessions, as the measure of the machine.
//   insert_xadd_load CONNINFO REDIS_SOCKET THREADS SECONDS
// Output: RESULT requests_per_s
#include <hiredis/hiredis.h>
#include <libpq-fe.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

struct Freer {
  void operator()(PGresult* result) const { PQclear(result); }
  void operator()(void* reply) const { freeReplyObject(reply); }
};

void work(const char* conninfo, const char* redis_socket, std::chrono::steady_clock::time_point end,
          std::atomic<std::size_t>& total) {
  PGconn* pg = PQconnectdb(conninfo);
  redisContext* redis = redisConnectUnix(redis_socket);
  if (PQstatus(pg) != CONNECTION_OK || redis == nullptr || redis->err != 0) {
    die(std::string("no connection: ") + PQerrorMessage(pg));
  }
  const std::unique_ptr<PGresult, Freer> prepared(
      PQprepare(pg, "one", "INSERT INTO public.seed_metrics (metric_name, metric_value, labels) VALUES ($1, $2, $3)", 3, nullptr));
  const char* const values[] = {"cpu_usage", "85.5", R"({"host":"server-1","zone":"z1"})"};
  std::size_t done = 0;
  for (; std::chrono::steady_clock::now() < end; ++done) {
    const std::unique_ptr<PGresult, Freer> inserted(PQexecPrepared(pg, "one", 3, values, nullptr, nullptr, 0));
    if (PQresultStatus(inserted.get()) != PGRES_COMMAND_OK) {
      die(PQerrorMessage(pg));
    }
    const std::unique_ptr<void, Freer> added(redisCommand(
        redis, "XADD seed_metrics MAXLEN ~ 100000 * data %s", R"({"metric_name":"cpu_usage","metric_value":85.5,"labels":{"host":"server-1"}})"));
    if (added == nullptr) {
      die(redis->errstr);
    }
  }
  total += done;
  PQfinish(pg);
  redisFree(redis);
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) {
    std::fprintf(stderr, "usage: %s CONNINFO REDIS_SOCKET THREADS SECONDS\n", words[0]);
    return 2;
  }
  const double seconds = std::atof(words[4]);
  std::atomic<std::size_t> total = 0;
  const auto begin = std::chrono::steady_clock::now();
  const auto end = begin + std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
  std::vector<std::thread> threads;
  for (int i = 0; i < std::atoi(words[3]); ++i) {
    threads.emplace_back([&] { work(words[1], words[2], end, total); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf("RESULT %.0f\n", static_cast<double>(total) / took);
}
