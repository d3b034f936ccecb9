#include "pg/conninfo_internal.hpp"

#include "sensus/config/section.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <algorithm>

namespace sensus::pg {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Conninfo, AddsWhatEverySessionNeeds) {
  Options options;
  options.statement_timeout = 1234ms;
  options.connect_timeout = 2500ms;
  const auto made = make_conninfo("host=h dbname=d user=u", options, "sensus");
  ASSERT_TRUE(made.has_value());
  for (const char* part :
       {"host='h'", "connect_timeout='3'", "tcp_user_timeout='8000'",
        "target_session_attrs='read-write'", "application_name='sensus'", "client_encoding='UTF8'",
        "-c statement_timeout=1234", "-c search_path=sensus,public", "-c TimeZone=UTC"}) {
    EXPECT_TRUE(has(*made, part)) << part << " in " << *made;
  }
}

TEST(Conninfo, WhatTheOperatorSaysWins) {
  const auto made =
      make_conninfo("postgresql://u@h/d?application_name=mine&options=-c%20lock_timeout%3D7",
                    Options(), "sensus");
  ASSERT_TRUE(made.has_value());
  EXPECT_TRUE(has(*made, "application_name='mine'"));
  EXPECT_GT(made->find("lock_timeout=7"), made->find("lock_timeout=2000"))
      << "the server takes the last";
}

TEST(Conninfo, QuotesThePassword) {
  Options options;
  options.password = Secret("it's \\ here");
  const auto made = make_conninfo("host=h password=old", options, "sensus");
  ASSERT_TRUE(made.has_value());
  EXPECT_TRUE(has(*made, "password='it\\'s \\\\ here'"));
}

TEST(Conninfo, ThePasswordOfTheFileAsItIsNow) {
  const std::string path = ::testing::TempDir() + "conninfo_password_" + std::to_string(::getpid());
  Options options;
  options.password = Secret("of the start");
  options.password_file = path;
  std::ofstream(path) << "first\n";
  EXPECT_TRUE(has(*make_conninfo("host=h", options, "sensus"), "password='first'"));
  std::ofstream(path) << "second\n";
  EXPECT_TRUE(has(*make_conninfo("host=h", options, "sensus"), "password='second'"));
  std::filesystem::remove(path);
  EXPECT_TRUE(has(*make_conninfo("host=h", options, "sensus"), "password='of the start'")) << "no file, as while it is replaced";
}

TEST(Conninfo, AnUnreadableStringIsInvalidInput) {
  const auto made = make_conninfo("host=", Options(), "sensus");
  EXPECT_TRUE(made.has_value());
  const auto broken = make_conninfo("nonsense", Options(), "sensus");
  ASSERT_FALSE(broken.has_value());
  EXPECT_EQ(broken.error().code, Errc::invalid_input);
}

TEST(Conninfo, AnUnreadableStringIsNotRepeatedForItMayHoldAPassword) {
  for (const char* url : {"postgresql://u:canary@[::1/db", "postgresql://u:canary@h:5432x/db", "postgresql://u:can%ary@h/db",
                          "host=h password=correct canary", "host=h password='canary"}) {
    const auto broken = make_conninfo(url, Options(), "sensus");
    const std::string message = broken ? "" : broken.error().message;
    EXPECT_FALSE(has(message, "canary") || has(message, "can%ary")) << message;
  }
}

TEST(PgOptions, AUrlThatLibpqCannotReadIsRefusedWithHelp) {
  Options options;
  config::Section section("database", "x");
  describe(section, options);
  for (const char* key : {"url", "migration_url"}) {
    const auto field = std::find_if(section.fields().begin(), section.fields().end(),
                                    [key](const config::Field& one) { return one.key == key; });
    ASSERT_NE(field, section.fields().end());
    for (const char* good : {"", "host=/run/postgresql dbname=sensus", "postgresql://a@h1,h2:5433/sensus?sslmode=require"}) {
      EXPECT_TRUE(field->set(good)) << good;
    }
    for (const char* bad : {"postgres", "postgresql://[::1/db", "host=h colour=red", "http://h/db"}) {
      const auto refused = field->set(bad);
      ASSERT_FALSE(refused) << bad;
      EXPECT_TRUE(has(refused.error().message, "write postgresql://")) << refused.error().message;
    }
  }
  EXPECT_EQ(options.url, "postgresql://a@h1,h2:5433/sensus?sslmode=require") << "the last good one";
}

}  // namespace
}  // namespace sensus::pg
