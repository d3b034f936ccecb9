#include "integration/storage/store_fixture.hpp"

#include "sensus/pg/migrate.hpp"
#include "sensus/storage/maintenance.hpp"

namespace sensus::test {
namespace {

TEST(Schema, TheTemplateIsAtTheHeadOfTheMigrations) {
  TestDatabase db;
  EXPECT_TRUE(
      pg::check_schema_blocking(db.options(), pg::head_of(storage::migrations()))
          .has_value());
}

TEST(Schema, TheAppRoleOwnsNothingAndHasNoDdl) {
  TestDatabase db;
  EXPECT_EQ(db.admin_value("select count(*) from pg_class where pg_get_userbyid(relowner) in "
                           "('sensus_app', 'sensus_grafana')"),
            "0");
  EXPECT_EQ(db.admin_value("select has_schema_privilege('sensus_app', 'sensus', 'create') or "
                           "has_schema_privilege('sensus_app', 'public', 'create') "
                           "or has_database_privilege('sensus_app', current_database(), 'create')"),
            "f");
  EXPECT_EQ(db.admin_value("select count(*) from pg_class c where c.relnamespace = "
                           "'sensus'::regnamespace and c.relkind in ('r', 'p', 'v') "
                           "and pg_get_userbyid(c.relowner) <> 'sensus_owner'"),
            "0");
  EXPECT_EQ(db.admin_value("select pg_has_role('sensus_app', 'sensus_owner', 'member') or (select "
                           "rolsuper or rolcreaterole or rolcreatedb "
                           "or rolbypassrls from pg_roles where rolname = 'sensus_app')"),
            "f");
  // DML on every table, but no TRUNCATE, and the history of migrations cannot be changed.
  EXPECT_EQ(
      db.admin_value("select count(*) from pg_class c where c.relnamespace = "
                     "'sensus'::regnamespace and c.relkind in ('r', 'p') "
                     "and c.relname <> 'schema_migrations' and not "
                     "has_table_privilege('sensus_app', c.oid, 'insert, update, delete, select')"),
      "0");
  EXPECT_EQ(db.admin_value("select count(*) from pg_class c where c.relnamespace = "
                           "'sensus'::regnamespace and c.relkind in ('r', 'p') "
                           "and has_table_privilege('sensus_app', c.oid, 'truncate')"),
            "0");
  EXPECT_EQ(db.admin_value(
                "select has_table_privilege('sensus_app', 'sensus.schema_migrations', 'insert')"),
            "f");
}

TEST(Schema, GrafanaReadsViewsOnly) {
  TestDatabase db;
  EXPECT_EQ(db.admin_value("select string_agg(c.relname, ',' order by c.relname) from pg_class c "
                           "where c.relnamespace = 'sensus'::regnamespace "
                           "and c.relkind in ('r', 'p', 'v') and "
                           "has_table_privilege('sensus_grafana', c.oid, 'select')"),
            "alert_episodes,analyses,anomalies,given_up_events,metric_families,metrics,metrics_1h,metrics_5m,model_list,quarantined,"
            "series_list,stored_days");
  // Of functions that run as their owner, which could show what no view does, one.
  EXPECT_EQ(db.admin_value("select string_agg(p.proname, ',') from pg_proc p where p.pronamespace = 'sensus'::regnamespace and "
                           "p.prosecdef and has_function_privilege('sensus_grafana', p.oid, 'execute')"),
            "samples");
  EXPECT_EQ(db.admin_value("select count(*) from pg_class c, pg_attribute a where c.relnamespace = 'sensus'::regnamespace and "
                           "a.attrelid = c.oid and c.relkind = 'v' and a.attname in ('original', 'payload') and "
                           "has_table_privilege('sensus_grafana', c.oid, 'select')"),
            "0");
  EXPECT_EQ(
      db.admin_value("select count(*) from pg_class c where c.relnamespace = "
                     "'sensus'::regnamespace and c.relkind in ('r', 'p', 'v') "
                     "and has_table_privilege('sensus_grafana', c.oid, 'insert, update, delete')"),
      "0");
  (void)db.admin("set role sensus_grafana");
  EXPECT_EQ(db.admin_value("select count(*) from metrics"), "0");
  EXPECT_EQ(db.admin_value(
                "select count(*) from sensus.samples('x', '{}', now() - interval '1 hour', now())"),
            "0");
  EXPECT_THROW(db.admin("select * from sensus.make_partitions(current_date, current_date)"),
               std::runtime_error);
  for (const char* table : {"alerts", "series", "sample_batches", "sample_chunks", "rollups_5m", "quarantine", "dead_letters", "outbox",
                            "removed_series", "known_series"}) {
    EXPECT_THROW(db.admin(std::string("select * from sensus.") + table), std::runtime_error) << table;
  }
}

TEST(Schema, DefinerFunctionsHaveAFixedSearchPath) {
  TestDatabase db;
  EXPECT_EQ(db.admin_value("select count(*) from pg_proc where pronamespace = "
                           "'sensus'::regnamespace and prosecdef and not exists "
                           "(select from unnest(proconfig) c where c like 'search_path=%')"),
            "0");
  EXPECT_EQ(
      db.admin_value("select count(*) from pg_proc where pronamespace = 'sensus'::regnamespace and "
                     "has_function_privilege('public', oid, 'execute')"),
      "0");
}

TEST(Schema, EveryTenantTableIsKeyedByTenantFirst) {
  TestDatabase db;
  // Unique indexes without the tenant would forbid distributing by it.
  EXPECT_EQ(db.admin_value("select count(*) from pg_index i join pg_class c on c.oid = i.indrelid "
                           "where c.relnamespace = 'sensus'::regnamespace "
                           "and c.relname not in ('schema_migrations', 'leases') and i.indisunique and (select "
                           "attname from pg_attribute a where a.attrelid = c.oid "
                           "and a.attnum = i.indkey[0]) <> 'tenant_id'"),
            "0");
  EXPECT_EQ(db.admin_value("select count(*) from pg_class c where c.relnamespace = "
                           "'sensus'::regnamespace and c.relkind in ('r', 'p') "
                           "and c.relname not in ('schema_migrations', 'leases') and not exists (select from "
                           "pg_attribute a where a.attrelid = c.oid "
                           "and a.attname = 'tenant_id' and a.attnotnull)"),
            "0");
}

CORO_TEST(Maintenance, MakesPartitionsOnceAndMovesStrayRows) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto writer = storage::make_sample_writer(s.options, telemetry::Log(), s.metrics);
  auto maintenance = storage::make_maintenance(s.database);
  const Timestamp now =
      std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  storage::SampleFlush flush;
  flush.new_series.push_back(series_key("cpu", "a"));
  flush.rows.push_back({-1, now, 1});
  flush.rows.push_back({-1, now - 24h, 2});
  flush.rows.push_back({-1, now - 24h * 20, 3});
  auto written = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(written);
  EXPECT_EQ(s.value("select count(*) from sample_batches_default"), "3");
  auto first = co_await maintenance->make_partitions(soon(), 48h, 48h);
  CO_ASSERT_OK(first);
  EXPECT_EQ(first->created, 5);
  EXPECT_EQ(first->default_rows, 1) << "the row of 20 days ago";
  auto second = co_await maintenance->make_partitions(soon(), 48h, 48h);
  CO_ASSERT_OK(second);
  EXPECT_EQ(second->created, 0);
  auto more = co_await maintenance->make_partitions(soon(), 24h * 30, 24h * 7);
  CO_ASSERT_OK(more);
  EXPECT_EQ(more->created, 33);
  EXPECT_EQ(more->default_rows, 0);
  EXPECT_EQ(s.value("select sum(metric_value) from metrics"), "6");
  EXPECT_EQ(s.value("select count(*) from pg_class where relname like 'sample_batches_2%' and "
                    "relkind = 'r' and pg_get_userbyid(relowner) = 'sensus_owner'"),
            "38");
  written = writer->write_blocking(soon(), flush);
  CO_ASSERT_OK(written);
  EXPECT_EQ(s.value("select count(*) from sample_batches_default"), "0");
  // The partitions carry the parent's index and compression.
  EXPECT_EQ(s.value("select count(*) from pg_indexes where tablename = to_char(now() at time zone "
                    "'UTC', '\"sample_batches_\"YYYYMMDD')"),
            "1");
}

CORO_TEST(Maintenance, ArraysOfABatchRowStayInTheirRow) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto maintenance = storage::make_maintenance(s.database);
  auto made = co_await maintenance->make_partitions(soon(), 24h, 0h);
  CO_ASSERT_OK(made);
  EXPECT_EQ(s.value("select count(*) || ':' || count(*) filter (where a.attstorage = 'm') from pg_attribute a "
                    "join pg_inherits i on i.inhrelid = a.attrelid where i.inhparent = 'sensus.sample_batches'::regclass "
                    "and a.attname in ('series_id', 'ts', 'value')"),
            "9:9")
      << "two days and the default partition";
  // One scrape of 10,000 series: 156 samples a row, of which PostgreSQL would move a third out of it.
  (void)s.db.admin(
      "insert into sensus.sample_batches (tenant_id, bucket, t_min, t_max, series_id, ts, value) select 1, 3, min(t), max(t), "
      "array_agg(id), array_agg(t), array_agg(v) from (select 3 + 64 * n as id, now() + n * interval '37 ms' as t, "
      "sin(n)::float8 as v from generate_series(1, 156) n) x");
  EXPECT_EQ(s.value("select sum(pg_relation_size(c.reltoastrelid)) from pg_class c join pg_inherits i on i.inhrelid = c.oid "
                    "where i.inhparent = 'sensus.sample_batches'::regclass"),
            "0");
}

CORO_TEST(Maintenance, ReadsOnlyTheDaysOfAWindow) {
  auto executor = co_await boost::asio::this_coro::executor;
  Store s(executor);
  auto maintenance = storage::make_maintenance(s.database);
  auto made = co_await maintenance->make_partitions(soon(), 24h * 10, 0h);
  CO_ASSERT_OK(made);
  const auto plan = s.db.admin(
      "explain select * from sensus.sample_batches b where tenant_id = 1 and bucket = 3 and t_min "
      ">= date_trunc('day', now() - interval '1 hour', 'UTC') "
      "and t_min < now() and t_max >= now() - interval '1 hour'");
  std::string text;
  for (const auto& line : plan) {
    text += line[0] + "\n";
  }
  EXPECT_NE(text.find("Subplans Removed"), std::string::npos) << text;
}

}  // namespace
}  // namespace sensus::test
