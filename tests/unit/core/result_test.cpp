#include "sensus/core/result.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

namespace sensus {
namespace {

Result<int> parse_digit(char c) {
  if (c < '0' || c > '9') {
    return make_error(Errc::invalid_input, "not a digit", "c");
  }
  return c - '0';
}

Result<> check_even(int number) {
  if (number % 2 != 0) {
    return make_error(Errc::conflict, "odd");
  }
  return {};
}

Result<int> sum_of_even(char a, char b) {
  SENSUS_TRY(const int x, parse_digit(a));
  SENSUS_TRY(const int y, parse_digit(b));
  SENSUS_TRY_VOID(check_even(x));
  SENSUS_TRY_VOID(check_even(y));
  return x + y;
}

Result<std::unique_ptr<int>> boxed(char c) {
  SENSUS_TRY(int x, parse_digit(c));
  return std::make_unique<int>(x);
}

Result<int> unboxed(char c) {
  SENSUS_TRY(std::unique_ptr<int> box, boxed(c));
  return *box;
}

TEST(Result, TryPassesValuesOn) { EXPECT_EQ(sum_of_even('2', '4').value(), 6); }

TEST(Result, TryReturnsTheFirstErrorWhole) {
  const auto bad = sum_of_even('x', 'y');
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Errc::invalid_input);
  EXPECT_EQ(bad.error().message, "not a digit");
  EXPECT_EQ(bad.error().field, "c");
  EXPECT_EQ(sum_of_even('2', '3').error().code, Errc::conflict);
}

TEST(Result, TryMovesWhatCannotBeCopied) {
  EXPECT_EQ(unboxed('7').value(), 7);
  EXPECT_EQ(unboxed('x').error().code, Errc::invalid_input);
}

TEST(Result, ValueOfAnErrorThrowsWhatItSays) {
  try {
    static_cast<void>(parse_digit('x').value());
    ADD_FAILURE() << "did not throw";
  } catch (const std::runtime_error& e) {
    EXPECT_STREQ(e.what(), "invalid_input: not a digit");
  }
}

}  // namespace
}  // namespace sensus
