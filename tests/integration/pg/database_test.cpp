#include "integration/pg/database_fixture.hpp"

#include <limits>

namespace sensus::test {
namespace {

CORO_TEST(Database, RunsATransactionAsTheAppRoleInUtc) {
  TestDatabase db(false);
  auto executor = co_await this_executor();
  OpenDatabase open(executor, db.owner_options());
  auto zone = co_await run_sql(open.database, soon(), "show TimeZone");
  CO_ASSERT_OK(zone);
  EXPECT_EQ(*zone, "UTC");
  auto path = co_await run_sql(open.database, soon(), "show search_path");
  CO_ASSERT_OK(path);
  EXPECT_EQ(*path, "sensus,public");
  EXPECT_EQ(open.database.health().state, telemetry::HealthState::ok);
  EXPECT_EQ(open.metric("db_connection_pool_max_size"), 2);
  EXPECT_GE(open.metric("db_connection_pool_size"), 1);
}

CORO_TEST(Database, RoundTripsEveryKindOfParameter) {
  TestDatabase db(false);
  auto executor = co_await this_executor();
  OpenDatabase open(executor, db.owner_options());
  const Timestamp t = from_unix_us(1'763'629'901'123'456);
  std::function<Result<>(pg::Tx&)> job = [t](pg::Tx& tx) -> Result<> {
    const std::vector<std::uint8_t> raw{0, 1, 255, '"', '\\'};
    pg::Params params;
    params.text("a'b\"\\ü")
        .text_or_null(std::nullopt)
        .integer(-5)
        .number(0.1)
        .boolean(true)
        .bytes(raw)
        .time(t)
        .time_or_null(std::nullopt);
    params.texts({"x,y", "", "NULL", "q\"\\"})
        .texts_or_null({std::nullopt, "z"})
        .integers({1, -2})
        .numbers({1.5, -std::numeric_limits<double>::infinity()});
    params.times({t}).times_or_null({std::nullopt, t}).byteas({raw, {}});
    const pg::Rows rows = tx.exec(
        "select $1::text, $2::text, $3::bigint, $4::float8, $5::bool, $6::bytea, $7::timestamptz, "
        "$8::timestamptz, "
        "($9::text[])[1], ($9::text[])[4], ($10::text[])[1], ($11::bigint[])[2], "
        "($12::float8[])[2], ($13::timestamptz[])[1], "
        "($14::timestamptz[])[1], ($15::bytea[])[1], array_length($9::text[], 1), ($9::text[])[3]",
        params);
    EXPECT_EQ(rows.text(0, 0), "a'b\"\\ü");
    EXPECT_TRUE(rows.is_null(0, 1));
    EXPECT_EQ(rows.integer(0, 2), -5);
    EXPECT_EQ(rows.number(0, 3), 0.1);
    EXPECT_TRUE(rows.boolean(0, 4));
    EXPECT_EQ(rows.bytes(0, 5), raw);
    EXPECT_EQ(rows.time(0, 6), t);
    EXPECT_EQ(rows.time_or_null(0, 7), std::nullopt);
    EXPECT_EQ(rows.text(0, 8), "x,y");
    EXPECT_EQ(rows.text(0, 9), "q\"\\");
    EXPECT_TRUE(rows.is_null(0, 10));
    EXPECT_EQ(rows.integer(0, 11), -2);
    EXPECT_EQ(rows.number(0, 12), -std::numeric_limits<double>::infinity());
    EXPECT_EQ(rows.time(0, 13), t);
    EXPECT_TRUE(rows.is_null(0, 14));
    EXPECT_EQ(rows.bytes(0, 15), raw);
    EXPECT_EQ(rows.integer(0, 16), 4);
    EXPECT_EQ(rows.text(0, 17), "NULL");
    EXPECT_THROW((void)rows.text(0, 1), std::logic_error);
    EXPECT_THROW((void)rows.integer(0, 0), std::logic_error);
    return {};
  };
  auto done = co_await open.database.transact<void>(soon(), pg::Access::read_only, std::move(job));
  CO_ASSERT_OK(done);
}

CORO_TEST(Database, CommitsValuesAndRollsBackErrorsAndExceptions) {
  TestDatabase db(false);
  db.admin(
      "create table t (n int primary key); grant all on t to public; grant all on schema public to "
      "public");
  auto executor = co_await this_executor();
  OpenDatabase open(executor, db.owner_options());
  auto stored = co_await run_sql(open.database, soon(), "insert into t values (1)");
  CO_ASSERT_OK(stored);
  std::function<Result<>(pg::Tx&)> refuses = [](pg::Tx& tx) -> Result<> {
    (void)tx.exec("insert into t values (2)");
    return make_error(Errc::not_found, "no");
  };
  auto refused =
      co_await open.database.transact<void>(soon(), pg::Access::read_write, std::move(refuses));
  CO_ASSERT_TRUE(!refused);
  EXPECT_EQ(refused.error().code, Errc::not_found);
  std::function<Result<>(pg::Tx&)> throws = [](pg::Tx& tx) -> Result<> {
    (void)tx.exec("insert into t values (3)");
    throw std::runtime_error("bug");
  };
  auto thrown =
      co_await open.database.transact<void>(soon(), pg::Access::read_write, std::move(throws));
  CO_ASSERT_TRUE(!thrown);
  EXPECT_EQ(thrown.error().code, Errc::internal);
  EXPECT_EQ(db.admin_value("select string_agg(n::text, ',') from t"), "1");
}

struct Classified {
  const char* sql;
  Errc code;
};

CORO_TEST(Database, ClassifiesFailuresBySqlstateAndKeepsWorking) {
  TestDatabase db(false);
  db.admin(
      "create table t (n int primary key check (n < 100)); insert into t values (1); grant all on "
      "t to public");
  auto executor = co_await this_executor();
  OpenDatabase open(executor, db.owner_options());
  const std::vector<Classified> cases{
      {"insert into t values (1)", Errc::already_exists},
      {"insert into t values (100)", Errc::invalid_input},
      {"select 'x'::int", Errc::invalid_input},
      {"select 1/0", Errc::invalid_input},
      {"select * from missing", Errc::internal},
      {"select pg_read_file('x')", Errc::internal},
      {"select pg_sleep(10)", Errc::timeout},
      {"do $$ begin raise exception using errcode = '55P03'; end $$", Errc::timeout},
      {"do $$ begin raise exception using errcode = '53100'; end $$", Errc::unavailable},
      {"selec", Errc::internal},
      {"do $$ begin raise exception 'x'; end $$", Errc::internal},
      {"do $$ begin raise exception using errcode = '40001'; end $$", Errc::unavailable},
  };
  for (const Classified& c : cases) {
    auto result = co_await run_sql(open.database, soon(1500ms), c.sql);
    EXPECT_FALSE(result.has_value()) << c.sql;
    if (!result) {
      EXPECT_EQ(result.error().code, c.code) << c.sql << ": " << result.error().message;
      EXPECT_EQ(result.error().message.find("select"), std::string::npos) << "no SQL in messages";
    }
    auto after = co_await run_sql(open.database, soon(), "select 7");
    CO_ASSERT_OK(after);
    EXPECT_EQ(*after, "7");
  }
  EXPECT_EQ(open.metric("sensus_pg_retries_total{reason=\"conflict\"}"), 3)
      << "40001 is tried again three times";
  EXPECT_GE(open.metric("sensus_pg_errors_total{class=\"timeout\"}"), 2);
  EXPECT_EQ(open.metric("sensus_pg_retries_total{reason=\"session_lost\"}"), 1) << "of 53100 alone";
}

CORO_TEST(Database, TextWithNulIsInvalidInputAndNotCut) {
  TestDatabase db(false);
  auto executor = co_await this_executor();
  OpenDatabase open(executor, db.owner_options());
  std::function<Result<>(pg::Tx&)> job = [](pg::Tx& tx) -> Result<> {
    (void)tx.exec("select $1::text", pg::Params().text(std::string_view("a\0b", 3)));
    return {};
  };
  auto done = co_await open.database.transact<void>(soon(), pg::Access::read_only, std::move(job));
  CO_ASSERT_TRUE(!done);
  EXPECT_EQ(done.error().code, Errc::invalid_input);
}

CORO_TEST(Database, ReadOnlyAccessRefusesWrites) {
  TestDatabase db(false);
  db.admin("create table t (n int); grant all on t to public");
  auto executor = co_await this_executor();
  OpenDatabase open(executor, db.owner_options());
  std::function<Result<>(pg::Tx&)> job = [](pg::Tx& tx) -> Result<> {
    (void)tx.exec("insert into t values (1)");
    return {};
  };
  auto done = co_await open.database.transact<void>(soon(), pg::Access::read_only, std::move(job));
  CO_ASSERT_TRUE(!done);
  EXPECT_EQ(done.error().code, Errc::unavailable) << "25006 also means: this server is a standby";
}

CORO_TEST(Database, ReplansAfterAChangedResultType) {
  TestDatabase db(false);
  db.admin("create table t (n int); insert into t values (1); grant all on t to public");
  auto executor = co_await this_executor();
  pg::Options options = db.owner_options();
  options.sessions = 1;
  OpenDatabase open(executor, options);
  auto before = co_await run_sql(open.database, soon(), "select * from t");
  CO_ASSERT_OK(before);
  db.admin("alter table t alter column n type text");
  auto after = co_await run_sql(open.database, soon(), "select * from t");
  CO_ASSERT_OK(after);
  EXPECT_EQ(*after, "1");
  EXPECT_EQ(open.metric("sensus_pg_retries_total{reason=\"stale_plan\"}"), 1);
}

CORO_TEST(Database, FullQueueIsOverloadedAtOnce) {
  TestDatabase db(false);
  auto executor = co_await this_executor();
  pg::Options options = db.owner_options();
  options.sessions = 1;
  options.queue_limit = 1;
  OpenDatabase open(executor, options);
  int overloaded = 0;
  int finished = 0;
  auto count = [&](const std::exception_ptr&, Result<std::string> result) {
    ++finished;
    overloaded += !result && result.error().code == Errc::overloaded ? 1 : 0;
  };
  for (int i = 0; i < 6; ++i) {
    boost::asio::co_spawn(executor, run_sql(open.database, soon(), "select pg_sleep(0.1)"), count);
  }
  while (finished < 6) {
    auto slept = co_await runtime::sleep(10ms);
    CO_ASSERT_OK(slept);
  }
  EXPECT_GE(overloaded, 4);
}

CORO_TEST(Database, AnUnreadableUrlIsUnavailable) {
  auto executor = co_await this_executor();
  pg::Options options;
  options.url = "postgresql://[broken";
  OpenDatabase open(executor, options);
  EXPECT_EQ(open.database.health().state, telemetry::HealthState::failed);
  auto pinged = co_await open.database.ping(soon());
  CO_ASSERT_TRUE(!pinged);
  EXPECT_EQ(pinged.error().code, Errc::unavailable);
}

}  // namespace
}  // namespace sensus::test
