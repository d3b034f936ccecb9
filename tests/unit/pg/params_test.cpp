#include "sensus/pg/tx.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace sensus::pg {
namespace {

std::string only(const Params& params) { return params.values().at(0).value_or("<null>"); }

TEST(Params, WritesArrayLiteralsThatPostgresReadsBack) {
  EXPECT_EQ(only(Params().texts({"a", "b,c", "q\"\\", "", "NULL"})),
            R"({"a","b,c","q\"\\","","NULL"})");
  EXPECT_EQ(only(Params().texts({})), "{}");
  EXPECT_EQ(only(Params().texts_or_null({std::nullopt, "x"})), R"({NULL,"x"})");
  EXPECT_EQ(only(Params().integers({1, -2, std::numeric_limits<std::int64_t>::min()})),
            "{1,-2,-9223372036854775808}");
  EXPECT_EQ(only(Params().numbers({0.1, std::numeric_limits<double>::quiet_NaN()})), "{0.1,NaN}");
  EXPECT_EQ(only(Params().byteas({{0, 255}, {}})), R"({"\\x00ff","\\x"})");
  EXPECT_EQ(only(Params().times({from_unix_us(0)})), R"({"1970-01-01T00:00:00Z"})");
}

TEST(Params, NumbersKeepEveryBit) {
  EXPECT_EQ(only(Params().number(1.0 / 3)), "0.3333333333333333");
  EXPECT_EQ(only(Params().number(-std::numeric_limits<double>::infinity())), "-Infinity");
}

TEST(Params, NullIsNotEmptyText) {
  EXPECT_EQ(only(Params().null()), "<null>");
  EXPECT_EQ(only(Params().text("")), "");
  EXPECT_EQ(only(Params().time_or_null(std::nullopt)), "<null>");
}

TEST(Params, RefusesNul) {
  EXPECT_THROW(Params().text(std::string_view("a\0b", 3)), std::invalid_argument);
  EXPECT_THROW(Params().texts({std::string("a\0b", 3)}), std::invalid_argument);
}

}  // namespace
}  // namespace sensus::pg
