#include "integration/pg/database_fixture.hpp"

#include <atomic>
#include <thread>

namespace sensus::test {
namespace {

runtime::Async<std::string> until_it_works(pg::Database& database) {
  for (int i = 0; i < 400; ++i) {
    auto result = co_await run_sql(database, soon(1s), "select 'alive'");
    if (result) {
      co_return result;
    }
    auto slept = co_await runtime::sleep(25ms);
    if (!slept) {
      co_return slept.error();
    }
  }
  co_return make_error(Errc::timeout, "the database did not come back in 10 s");
}

CORO_TEST(DatabaseFaults, ATerminatedIdleSessionIsReplacedWithoutAnError) {
  TestDatabase db(false);
  auto executor = co_await this_executor();
  OpenDatabase open(executor, db.owner_options());
  auto before = co_await run_sql(open.database, soon(), "select 1");
  CO_ASSERT_OK(before);
  CO_ASSERT_TRUE(db.terminate_sessions() >= 1);
  auto after = co_await run_sql(open.database, soon(), "select 2");
  CO_ASSERT_OK(after);
  EXPECT_EQ(*after, "2");
}

CORO_TEST(DatabaseFaults, ASessionLostInMidTransactionIsRunAgainOnce) {
  TestDatabase db(false);
  db.admin(
      "create sequence tries; grant all on sequence tries to public; create table t (n int); grant "
      "all on t to public;"
      "create function cut() returns text language sql security definer as 'select "
      "pg_terminate_backend(pg_backend_pid())::text'");
  auto executor = co_await this_executor();
  OpenDatabase open(executor, db.owner_options());
  // Sequences are not rolled back: only the first run kills its own session.
  std::vector<std::string> script_1{
      "insert into t values (1)",
      "select case when nextval('tries') = 1 then cut() else 'second' end"};
  auto result = co_await run_all(open.database, soon(), std::move(script_1));
  CO_ASSERT_OK(result);
  EXPECT_EQ(*result, "second");
  EXPECT_EQ(db.admin_value("select count(*) from t"), "1") << "the first run left nothing";
  EXPECT_EQ(open.metric("sensus_pg_retries_total{reason=\"session_lost\"}"), 1);
}

CORO_TEST(DatabaseFaults, DeadlocksAreRetriedAndBothCommit) {
  TestDatabase db(false);
  db.admin(
      "create table t (n int primary key, hits int); insert into t values (1, 0), (2, 0); grant "
      "all on t to public");
  auto executor = co_await this_executor();
  pg::Options options = db.owner_options();
  options.url += " options='-c role=sensus_owner -c deadlock_timeout=50ms'";
  OpenDatabase open(executor, options);
  int finished = 0;
  int failed = 0;
  auto count = [&](const std::exception_ptr&, Result<std::string> result) {
    ++finished;
    failed += result ? 0 : 1;
  };
  const std::string one = "update t set hits = hits + 1 where n = 1";
  const std::string two = "update t set hits = hits + 1 where n = 2";
  std::vector<std::string> script_2{one, "select pg_sleep(0.2)", two};
  boost::asio::co_spawn(executor, run_all(open.database, soon(), std::move(script_2)), count);
  std::vector<std::string> script_3{two, "select pg_sleep(0.2)", one};
  boost::asio::co_spawn(executor, run_all(open.database, soon(), std::move(script_3)), count);
  while (finished < 2) {
    auto slept = co_await runtime::sleep(10ms);
    CO_ASSERT_OK(slept);
  }
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(db.admin_value("select min(hits) || '/' || max(hits) from t"), "2/2");
  EXPECT_GE(open.metric("sensus_pg_retries_total{reason=\"conflict\"}"), 1);
}

CORO_TEST(DatabaseFaults, ALockThatIsHeldEndsInATimeoutAndTheThreadIsFreeAgain) {
  TestDatabase db(false);
  db.admin("create table t (n int); grant all on t to public");
  auto executor = co_await this_executor();
  OpenDatabase open(executor, db.owner_options());
  db.admin("begin");
  db.admin("lock table t in access exclusive mode");
  const auto began = std::chrono::steady_clock::now();
  auto blocked = co_await run_sql(open.database, soon(300ms), "insert into t values (1)");
  CO_ASSERT_TRUE(!blocked);
  EXPECT_EQ(blocked.error().code, Errc::timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1500ms);
  db.admin("rollback");
  std::vector<std::string> script_4{"insert into t values (1)", "select count(*) from t"};
  auto after = co_await run_all(open.database, soon(), std::move(script_4));
  CO_ASSERT_OK(after);
  EXPECT_EQ(*after, "1");
}

CORO_TEST(DatabaseFaults, SeveralStatementsTogetherDoNotOutliveTheDeadline) {
  TestDatabase db(false);
  auto executor = co_await this_executor();
  pg::Options options = db.owner_options();
  options.sessions = 1;
  OpenDatabase open(executor, options);
  std::vector<std::string> script_5{"select pg_sleep(0.3)", "select pg_sleep(0.3)",
                                    "select pg_sleep(0.3)"};
  auto late = co_await run_all(open.database, soon(400ms), std::move(script_5));
  CO_ASSERT_TRUE(!late);
  EXPECT_EQ(late.error().code, Errc::timeout);
  // The only session must be usable (or replaced) at once: nothing sleeps on.
  auto after = co_await run_sql(open.database, soon(250ms), "select 'free'");
  CO_ASSERT_OK(after);
}

CORO_TEST(DatabaseFaults, AReadThatIsCutAtItsDeadlineSaysNothingAboutTheServer) {
  TestDatabase db(false);
  auto executor = co_await this_executor();
  pg::Options options = db.owner_options();
  options.sessions = 1;
  OpenDatabase open(executor, options);
  std::atomic<bool> ended = false;
  std::function<Result<int>(pg::Tx&)> job = [&ended](pg::Tx& tx) -> Result<int> {
    (void)tx.exec("select 1");
    std::this_thread::sleep_for(400ms);  // As folding millions of samples would take.
    ended = true;
    return 1;
  };
  auto late = co_await open.database.transact<int>(soon(100ms), pg::Access::read_only, std::move(job));
  CO_ASSERT_TRUE(!late);
  EXPECT_EQ(late.error().code, Errc::timeout);
  auto after = co_await run_sql(open.database, soon(), "select 'free'");
  CO_ASSERT_OK(after);
  EXPECT_TRUE(ended);
  EXPECT_EQ(open.metric("sensus_pg_errors_total{class=\"timeout\"}"), 1);
  EXPECT_LE(open.metric("sensus_pg_errors_total{class=\"connection\"}"), 0) << "no outage is counted";
  EXPECT_LE(open.metric("sensus_pg_in_doubt_total"), 0) << "nor a commit in doubt";
}

CORO_TEST(DatabaseFaults, AStoppedServerIsUnavailableAndComesBackByItself) {
  PrivatePostgres server;
  auto executor = co_await this_executor();
  OpenDatabase open(executor, server.owner_options());
  auto before = co_await run_sql(open.database, soon(), "select 1");
  CO_ASSERT_OK(before);
  server.stop();
  auto down = co_await run_sql(open.database, soon(), "select 1");
  CO_ASSERT_TRUE(!down);
  EXPECT_EQ(down.error().code, Errc::unavailable);
  EXPECT_EQ(open.database.health().state, telemetry::HealthState::failed);
  EXPECT_EQ(open.metric("sensus_pg_up"), 0);
  // While it is down nobody hammers it: refusals cost nothing.
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) {
    auto refused = co_await run_sql(open.database, soon(), "select 1");
    CO_ASSERT_TRUE(!refused);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - began, 2s);
  server.start();
  auto after = co_await until_it_works(open.database);
  CO_ASSERT_OK(after);
  EXPECT_EQ(open.database.health().state, telemetry::HealthState::ok);
}

CORO_TEST(DatabaseFaults, AKilledServerComesBackByItself) {
  PrivatePostgres server;
  auto executor = co_await this_executor();
  OpenDatabase open(executor, server.owner_options());
  auto before = co_await run_sql(open.database, soon(), "select 1");
  CO_ASSERT_OK(before);
  server.kill();
  auto down = co_await run_sql(open.database, soon(), "select 1");
  CO_ASSERT_TRUE(!down);
  EXPECT_EQ(down.error().code, Errc::unavailable);
  server.start();
  auto after = co_await until_it_works(open.database);
  CO_ASSERT_OK(after);
}

CORO_TEST(DatabaseFaults, AServerThatTurnsReadOnlyIsLeftAndTakenUpAgain) {
  PrivatePostgres server;
  server.admin().exec("create table public.t (n int); grant all on public.t to public");
  auto executor = co_await this_executor();
  OpenDatabase open(executor, server.owner_options());
  auto before = co_await run_sql(open.database, soon(), "insert into t values (1)");
  CO_ASSERT_OK(before);
  server.admin().exec("alter system set default_transaction_read_only = on");
  server.admin().exec("select pg_reload_conf()");
  server.admin().exec(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'sensus'");
  auto down = co_await run_sql(open.database, soon(), "insert into t values (2)");
  CO_ASSERT_TRUE(!down);
  EXPECT_EQ(down.error().code, Errc::unavailable)
      << "target_session_attrs=read-write refuses such a server";
  AdminConnection admin = server.admin();
  admin.exec("set default_transaction_read_only = off");
  admin.exec("alter system reset default_transaction_read_only");
  server.admin().exec("select pg_reload_conf()");
  auto after = co_await until_it_works(open.database);
  CO_ASSERT_OK(after);
}

CORO_TEST(DatabaseFaults, ACommitWithoutAnAnswerIsInDoubt) {
  TestDatabase db(false);
  // A deferred trigger runs inside COMMIT and ends the session there.
  db.admin(
      "create table t (n int); grant all on t to public;"
      "create function cut() returns trigger language plpgsql security definer as "
      "$$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;"
      "create constraint trigger cut after insert on t deferrable initially deferred for each row "
      "execute function cut()");
  auto executor = co_await this_executor();
  OpenDatabase open(executor, db.owner_options());
  auto result = co_await run_sql(open.database, soon(), "insert into t values (1)");
  CO_ASSERT_TRUE(!result);
  EXPECT_EQ(result.error().code, Errc::in_doubt);
  EXPECT_EQ(open.metric("sensus_pg_in_doubt_total"), 1);
  auto after = co_await run_sql(open.database, soon(), "select 1");
  CO_ASSERT_OK(after);
}

}  // namespace
}  // namespace sensus::test
