#include "sensus/core/assert.hpp"

#include <gtest/gtest.h>

namespace sensus {
namespace {

TEST(AssertDeathTest, ABrokenInvariantNamesItselfAndEnds) {
  const int found = 3;
  EXPECT_DEATH(SENSUS_ASSERT(found == 4), "bug: assertion failed: found == 4 at .*assert_test.cpp");
}

TEST(Assert, AKeptInvariantIsSilent) {
  int evaluated = 0;
  SENSUS_ASSERT(++evaluated == 1);
  EXPECT_EQ(evaluated, 1) << "evaluated once, in every build";
}

}  // namespace
}  // namespace sensus
