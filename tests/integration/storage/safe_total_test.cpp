#include "support/services.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sensus::test {
namespace {

/// The total of a list of numbers as compaction and SQL readers take it.
std::string total_of(TestDatabase& db, const std::string& numbers) {
  return db.admin_value(
      "select coalesce(sensus.safe_total(sum(v) filter (where abs(v) < 1e290), sum(v * 2::float8 ^ "
      "-64) filter "
      "(where abs(v) >= 1e290))::text, 'null') from unnest('{" +
      numbers + "}'::float8[]) v");
}

TEST(SafeTotal, EndsNoStatementWhateverTheNumbers) {
  TestDatabase db;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "null"},
      {"1,2,3.5", "6.5"},
      {"0,-0", "0"},
      {"1e308", "1e+308"},
      {"1.7976931348623157e308", "1.7976931348623157e+308"},
      {"-1.7976931348623157e308", "-1.7976931348623157e+308"},
      {"1e308,1e308", "Infinity"},
      {"-1e308,-1e308", "-Infinity"},
      {"1e308,1e308,-1e308", "1e+308"},
      {"1e308,-1e308,5", "5"},
      {"1e300,1e200", "1e+300"},
      {"5e289,5e289,1e290", "2e+290"},
      {"1.7976931348623157e308,9e289,9e289", "1.7976931348623157e+308"},
      {"Infinity,1", "Infinity"},
      {"Infinity,-Infinity", "NaN"},
      {"NaN,1", "NaN"},
      {"-Infinity,1e308", "-Infinity"},
      {"5e-324,5e-324", "1e-323"},
      {"5e-324,1e308", "1e+308"},
      {"2.2250738585072014e-308,1e308,-1e308", "2.2250738585072014e-308"},
  };
  for (const auto& [numbers, expected] : cases) {
    EXPECT_EQ(total_of(db, numbers), expected) << numbers;
  }
}

}  // namespace
}  // namespace sensus::test
