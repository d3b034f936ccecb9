#include "sensus/pg/migrate.hpp"
#include "support/services.hpp"

#include <gtest/gtest.h>

#include <future>

namespace sensus::test {
namespace {

const std::vector<pg::Migration> kTwo{
    {1, "first", "create table a (n int); create table b (n int)"},
    {2, "second", "alter table a add column m int"}};
const telemetry::Log kSilent;

TEST(Migrate, AppliesWhatIsMissingAndRecordsIt) {
  TestDatabase db(false);
  const std::vector<pg::Migration> one{kTwo[0]};
  ASSERT_EQ(pg::migrate_blocking(db.owner_options(), one, kSilent).value(), 1);
  EXPECT_TRUE(pg::check_schema_blocking(db.options(), 1).has_value());
  ASSERT_EQ(pg::migrate_blocking(db.owner_options(), kTwo, kSilent).value(), 2);
  ASSERT_EQ(pg::migrate_blocking(db.owner_options(), kTwo, kSilent).value(), 2)
      << "repeating changes nothing";
  EXPECT_EQ(db.admin_value("select string_agg(version || ' ' || name, ', ' order by version) from "
                           "sensus.schema_migrations"),
            "1 first, 2 second");
  EXPECT_EQ(db.admin_value(
                "select tableowner from pg_tables where schemaname = 'sensus' and tablename = 'a'"),
            "sensus_owner");
  EXPECT_TRUE(pg::check_schema_blocking(db.options(), 2).has_value());
}

TEST(Migrate, AFailedMigrationLeavesNothingOfItself) {
  TestDatabase db(false);
  const std::vector<pg::Migration> broken{{1, "first", "create table a (n int); select 1/0"}};
  const auto failed = pg::migrate_blocking(db.owner_options(), broken, kSilent);
  ASSERT_FALSE(failed.has_value());
  EXPECT_NE(failed.error().message.find("division by zero"), std::string::npos)
      << failed.error().message;
  EXPECT_EQ(db.admin_value(
                "select count(*) from pg_tables where schemaname = 'sensus' and tablename = 'a'"),
            "0");
  EXPECT_EQ(pg::migrate_blocking(db.owner_options(), kTwo, kSilent).value(), 2) << "recovers";
}

TEST(Migrate, ANumberMayBeLeftOutAndComeLater) {
  TestDatabase db(false);
  const pg::Migration fifth{5, "fifth", "alter table a add column k int"};
  ASSERT_EQ(pg::migrate_blocking(db.owner_options(), {kTwo[0], fifth}, kSilent).value(), 5);
  EXPECT_TRUE(pg::check_schema_blocking(db.options(), 5).has_value());
  const std::vector<pg::Migration> all{kTwo[0], kTwo[1], fifth};
  ASSERT_EQ(pg::migrate_blocking(db.owner_options(), all, kSilent).value(), 5);
  EXPECT_EQ(db.admin_value("select string_agg(version || ' ' || name, ', ' order by version) from "
                           "sensus.schema_migrations"),
            "1 first, 2 second, 5 fifth");
  const auto refused = pg::migrate_blocking(db.owner_options(), {kTwo[0], fifth}, kSilent);
  ASSERT_FALSE(refused.has_value()) << "one that this program does not know";
  EXPECT_EQ(refused.error().code, Errc::conflict);
}

TEST(Migrate, RefusesANewerSchemaAndSaysWhatToDo) {
  TestDatabase db(false);
  ASSERT_TRUE(pg::migrate_blocking(db.owner_options(), kTwo, kSilent).has_value());
  const std::vector<pg::Migration> older{kTwo[0]};
  const auto refused = pg::migrate_blocking(db.owner_options(), older, kSilent);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_NE(refused.error().message.find("newer program"), std::string::npos);
  const auto checked = pg::check_schema_blocking(db.options(), 1);
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().code, Errc::conflict);
}

TEST(Migrate, ANewerSchemaIsLeftAsItIsToTheGrants) {
  TestDatabase db(false);
  ASSERT_TRUE(pg::migrate_blocking(db.owner_options(), kTwo, kSilent).has_value());
  // A newer program may have taken back what this one would grant again.
  (void)db.admin("revoke usage on schema sensus from sensus_grafana");
  (void)db.admin("alter default privileges for role sensus_owner in schema sensus revoke delete on tables from sensus_app");
  const std::string state =
      "select (select nspacl::text from pg_namespace where nspname = 'sensus') || (select string_agg(defaclacl::text, ' ' order by oid) "
      "from pg_default_acl)";
  const std::string before = db.admin_value(state);
  const auto refused = pg::migrate_blocking(db.owner_options(), {kTwo[0]}, kSilent);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::conflict);
  EXPECT_EQ(db.admin_value(state), before);
  ASSERT_TRUE(pg::migrate_blocking(db.owner_options(), kTwo, kSilent).has_value());
  EXPECT_NE(db.admin_value(state), before) << "its own are set right again";
}

TEST(Migrate, RefusesAChangedMigration) {
  TestDatabase db(false);
  ASSERT_TRUE(pg::migrate_blocking(db.owner_options(), kTwo, kSilent).has_value());
  auto changed = kTwo;
  changed[0].sql = "create table other (n int)";
  const auto refused = pg::migrate_blocking(db.owner_options(), changed, kSilent);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::conflict);
}

TEST(Migrate, AnEmptyOrOldSchemaIsAConflictForTheDaemon) {
  TestDatabase db(false);
  const auto missing = pg::check_schema_blocking(db.options(), 1);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Errc::conflict);
  ASSERT_TRUE(pg::migrate_blocking(db.owner_options(), {kTwo[0]}, kSilent).has_value());
  const auto old = pg::check_schema_blocking(db.options(), 2);
  ASSERT_FALSE(old.has_value());
  EXPECT_EQ(old.error().code, Errc::conflict);
}

TEST(Migrate, TwoAtOnceDoItOnce) {
  TestDatabase db(false);
  const auto run = [&] { return pg::migrate_blocking(db.owner_options(), kTwo, kSilent); };
  auto a = std::async(std::launch::async, run);
  auto b = std::async(std::launch::async, run);
  EXPECT_TRUE(a.get().has_value());
  EXPECT_TRUE(b.get().has_value());
  EXPECT_EQ(db.admin_value("select count(*) from sensus.schema_migrations"), "2");
}

TEST(Migrate, ALoginWithoutRightsIsToldWhatAnAdministratorMustDo) {
  TestDatabase db(false);
  db.admin(
      "do $$ begin create role sensus_test_plain login; exception when duplicate_object then null; "
      "end $$");
  pg::Options options = db.owner_options();
  options.migration_url.replace(options.migration_url.find("user=postgres"), 13,
                                "user=sensus_test_plain");
  const auto refused = pg::migrate_blocking(options, kTwo, kSilent);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("administrator must"), std::string::npos)
      << refused.error().message;
}

TEST(Migrate, APlainOwnerOfTheDatabaseMayMigrate) {
  TestDatabase db(false);
  db.admin(
      "do $$ begin create role sensus_test_creator login createrole; exception when "
      "duplicate_object then null; end $$");
  db.admin("alter database " + db.name() + " owner to sensus_test_creator");
  pg::Options options = db.owner_options();
  options.migration_url.replace(options.migration_url.find("user=postgres"), 13,
                                "user=sensus_test_creator");
  const auto version = pg::migrate_blocking(options, kTwo, kSilent);
  ASSERT_TRUE(version.has_value()) << version.error().message;
  EXPECT_EQ(db.admin_value(
                "select tableowner from pg_tables where schemaname = 'sensus' and tablename = 'a'"),
            "sensus_owner");
}

TEST(Migrate, TheOwnerItselfMayMigrateItsDatabase) {
  TestDatabase db(false);
  ASSERT_TRUE(pg::migrate_blocking(db.owner_options(), {}, kSilent).has_value())
      << "makes the roles";
  db.admin("drop schema sensus cascade; alter database " + db.name() +
           " owner to sensus_owner; alter role sensus_owner login");
  pg::Options options = db.owner_options();
  options.migration_url.replace(options.migration_url.find("user=postgres"), 13,
                                "user=sensus_owner");
  const auto version = pg::migrate_blocking(options, kTwo, kSilent);
  ASSERT_TRUE(version.has_value()) << version.error().message;
  EXPECT_EQ(db.admin_value("select applied_by from sensus.schema_migrations limit 1"),
            "sensus_owner");
}

TEST(Migrate, WithoutAMigrationUrlNothingIsMigrated) {
  TestDatabase db(false);
  const auto refused = pg::migrate_blocking(db.options(), kTwo, kSilent);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Errc::invalid_input);
}

}  // namespace
}  // namespace sensus::test
