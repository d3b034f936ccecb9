#include "pg/rows_internal.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace sensus::pg {
namespace {

TEST(Rows, ReadsPostgresTimes) {
  EXPECT_EQ(parse_pg_time("1970-01-01 00:00:00+00"), from_unix_us(0));
  EXPECT_EQ(parse_pg_time("2026-11-20 09:11:41.1+00"),
            parse_rfc3339("2026-11-20T09:11:41.1Z").value());
  EXPECT_EQ(parse_pg_time("2026-11-20 09:11:41.123456+00"),
            parse_rfc3339("2026-11-20T09:11:41.123456Z").value());
  EXPECT_EQ(parse_pg_time("1969-12-31 23:59:59.999999+00"), from_unix_us(-1));
}

TEST(Rows, RefusesTimesThatItDoesNotKnow) {
  for (const char* text :
       {"infinity", "2026-11-20 09:11:41+05:45", "2026-11-20", "", "2026-xx-20 09:11:41+00"}) {
    EXPECT_THROW((void)parse_pg_time(text), std::logic_error) << text;
  }
}

TEST(Rows, ReadsBytes) {
  EXPECT_EQ(parse_pg_bytes("\\x00ff7a"), (std::vector<std::uint8_t>{0, 255, 122}));
  EXPECT_TRUE(parse_pg_bytes("\\x").empty());
  EXPECT_THROW((void)parse_pg_bytes("\\x0"), std::logic_error);
  EXPECT_THROW((void)parse_pg_bytes("00"), std::logic_error);
  EXPECT_THROW((void)parse_pg_bytes("\\xzz"), std::logic_error);
}

}  // namespace
}  // namespace sensus::pg
