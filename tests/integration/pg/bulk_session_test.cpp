#include "sensus/pg/bulk_session.hpp"
#include "support/services.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace sensus::test {
namespace {

constexpr std::string_view kCopy =
    "copy public.t (a, b, c, d, e, f, g, h, i, j, k) from stdin (format binary)";

struct BulkSessionTest : testing::Test {
  BulkSessionTest() : db(false) {
    db.admin(
        "create table public.t (a smallint, b int, c bigint, d float8, e text, f jsonb, g bytea, h "
        "timestamptz, i int[], "
        "j timestamptz[], k float8[]); grant all on public.t to public; create table public.u (n "
        "int); grant all on public.u to public");
  }
  static pg::CopyBuffer row(std::int32_t b) {
    pg::CopyBuffer copy;
    append(copy, b);
    return copy;
  }
  static void append(pg::CopyBuffer& copy, std::int32_t b) {
    const std::vector<std::uint8_t> raw{0, 255};
    copy.begin_row(11);
    copy.int16(-1);
    copy.int32(b);
    copy.int64(1LL << 40);
    copy.number(0.5);
    copy.text("tab\t");
    copy.jsonb(R"({"k":"v"})");
    copy.bytes(raw);
    copy.time(from_unix_us(1));
    copy.begin_int32_array(2);
    copy.int32(1);
    copy.int32(2);
    copy.begin_time_array(1);
    copy.time(from_unix_us(0));
    copy.begin_number_array(1);
    copy.number(-2.5);
  }
  TestDatabase db;
  telemetry::Metrics metrics;
  pg::BulkSession session{db.owner_options(), telemetry::Log(), metrics};
};

TEST_F(BulkSessionTest, CopiesEveryType) {
  const pg::BulkSession::Job job = [](pg::BulkTx& tx) -> Result<> {
    tx.copy(kCopy, row(7));
    return {};
  };
  ASSERT_TRUE(session.write_blocking(Deadline::after(5s), job).has_value());
  EXPECT_EQ(db.admin("select * from public.t"),
            (TextRows{{"-1", "7", "1099511627776", "0.5", "tab\t", R"({"k": "v"})", "\\x00ff",
                       "1970-01-01 00:00:00.000001+00", "{1,2}", "{\"1970-01-01 00:00:00+00\"}",
                       "{-2.5}"}}));
}

TEST_F(BulkSessionTest, StatementsAndCopiesCommitTogether) {
  const pg::BulkSession::Job job = [](pg::BulkTx& tx) -> Result<> {
    const pg::Rows rows =
        tx.exec("insert into public.u values ($1::int) returning n + 1", pg::Params().integer(4));
    pg::CopyBuffer second;
    append(second, static_cast<std::int32_t>(rows.integer(0, 0)));
    tx.copy(kCopy, row(1));
    tx.copy(kCopy, pg::CopyBuffer());
    tx.copy(kCopy, std::move(second));
    return {};
  };
  ASSERT_TRUE(session.write_blocking(Deadline::after(5s), job).has_value());
  EXPECT_EQ(db.admin_value("select string_agg(b::text, ',' order by b) from public.t"), "1,5");
  EXPECT_EQ(db.admin_value("select count(*) from public.u"), "1");
}

TEST_F(BulkSessionTest, AnErrorOfTheJobRollsBackAndTheSessionGoesOn) {
  const pg::BulkSession::Job refuses = [](pg::BulkTx& tx) -> Result<> {
    (void)tx.exec("insert into public.u values (1)", {});
    return make_error(Errc::not_found, "no");
  };
  EXPECT_EQ(session.write_blocking(Deadline::after(5s), refuses).error().code, Errc::not_found);
  const pg::BulkSession::Job fine = [](pg::BulkTx& tx) -> Result<> {
    tx.copy(kCopy, row(1));
    return {};
  };
  EXPECT_TRUE(session.write_blocking(Deadline::after(5s), fine).has_value());
  EXPECT_EQ(db.admin_value("select count(*) from public.u"), "0");
}

TEST_F(BulkSessionTest, ARefusedRowFailsTheWholeWriteAndTheSessionGoesOn) {
  const pg::BulkSession::Job broken = [](pg::BulkTx& tx) -> Result<> {
    tx.copy(kCopy, row(1));
    pg::CopyBuffer short_row;
    short_row.begin_row(1);
    short_row.int32(1);
    tx.copy(kCopy, std::move(short_row));
    return {};
  };
  EXPECT_FALSE(session.write_blocking(Deadline::after(5s), broken).has_value());
  const pg::BulkSession::Job fine = [](pg::BulkTx& tx) -> Result<> {
    tx.copy(kCopy, row(2));
    return {};
  };
  ASSERT_TRUE(session.write_blocking(Deadline::after(5s), fine).has_value());
  EXPECT_EQ(db.admin_value("select string_agg(b::text, ',') from public.t"), "2");
}

TEST_F(BulkSessionTest, ALargeCopyGoesThrough) {
  const pg::BulkSession::Job job = [](pg::BulkTx& tx) -> Result<> {
    pg::CopyBuffer many;
    for (std::int32_t i = 0; i < 50'000; ++i) {
      append(many, i);
    }
    tx.copy(kCopy, std::move(many));
    return {};
  };
  ASSERT_TRUE(session.write_blocking(Deadline::after(20s), job).has_value());
  EXPECT_EQ(db.admin_value("select count(*) || '/' || sum(b) from public.t"), "50000/1249975000");
}

TEST_F(BulkSessionTest, AKilledSessionIsReplacedOnce) {
  const pg::BulkSession::Job fine = [](pg::BulkTx& tx) -> Result<> {
    tx.copy(kCopy, row(1));
    return {};
  };
  ASSERT_TRUE(session.write_blocking(Deadline::after(5s), fine).has_value());
  ASSERT_GE(db.terminate_sessions(), 1U);
  ASSERT_TRUE(session.write_blocking(Deadline::after(5s), fine).has_value());
  EXPECT_EQ(db.admin_value("select count(*) from public.t"), "2");
}

TEST_F(BulkSessionTest, AHeldLockEndsInATimeoutAtTheDeadline) {
  db.admin("begin; lock table public.t in access exclusive mode");
  const pg::BulkSession::Job fine = [](pg::BulkTx& tx) -> Result<> {
    tx.copy(kCopy, row(1));
    return {};
  };
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(session.write_blocking(Deadline::after(300ms), fine).error().code, Errc::timeout);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
  db.admin("rollback");
  EXPECT_TRUE(session.write_blocking(Deadline::after(5s), fine).has_value());
  EXPECT_EQ(db.admin_value("select count(*) from public.t"), "1");
}

TEST_F(BulkSessionTest, CancelFromAnotherThreadEndsARunningWrite) {
  db.admin("begin; lock table public.t in access exclusive mode");
  const pg::BulkSession::Job fine = [](pg::BulkTx& tx) -> Result<> {
    tx.copy(kCopy, row(1));
    return {};
  };
  Result<> result;
  std::thread writer([&] { result = session.write_blocking(Deadline::after(30s), fine); });
  while (
      db.admin_value(
          "select count(*) from pg_locks where not granted and relation = 'public.t'::regclass") ==
      "0") {
    std::this_thread::yield();
  }
  session.cancel();
  writer.join();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Errc::timeout);
  db.admin("rollback");
  EXPECT_TRUE(session.write_blocking(Deadline::after(5s), fine).has_value());
}

TEST_F(BulkSessionTest, ACommitWithoutAnAnswerIsInDoubt) {
  db.admin(
      "create function public.cut() returns trigger language plpgsql security definer as "
      "$$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;"
      "create constraint trigger cut after insert on public.t deferrable initially deferred for "
      "each row execute function public.cut()");
  const pg::BulkSession::Job fine = [](pg::BulkTx& tx) -> Result<> {
    tx.copy(kCopy, row(1));
    return {};
  };
  EXPECT_EQ(session.write_blocking(Deadline::after(5s), fine).error().code, Errc::in_doubt);
}

TEST(BulkSession, AServerThatIsAwayIsUnavailableAndTakenUpAgain) {
  PrivatePostgres server;
  server.admin().exec("create table public.u (n int); grant all on public.u to public");
  telemetry::Metrics metrics;
  pg::BulkSession session(server.owner_options(), telemetry::Log(), metrics);
  const pg::BulkSession::Job job = [](pg::BulkTx& tx) -> Result<> {
    pg::CopyBuffer rows;
    rows.begin_row(1);
    rows.int32(1);
    tx.copy("copy public.u (n) from stdin (format binary)", std::move(rows));
    return {};
  };
  ASSERT_TRUE(session.write_blocking(Deadline::after(5s), job).has_value());
  server.kill();
  EXPECT_EQ(session.write_blocking(Deadline::after(5s), job).error().code, Errc::unavailable);
  server.start();
  const Deadline limit = Deadline::after(10s);
  Result<> result = make_error(Errc::unavailable, "not tried");
  while (!result && !limit.expired()) {
    result = session.write_blocking(Deadline::after(5s), job);
    std::this_thread::yield();
  }
  ASSERT_TRUE(result.has_value());
}

}  // namespace
}  // namespace sensus::test
