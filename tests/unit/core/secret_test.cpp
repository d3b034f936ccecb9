#include "sensus/core/secret.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace sensus {
namespace {

TEST(Secret, PrintingHidesIt) {
  const Secret secret("hunter2");
  std::ostringstream out;
  out << secret;
  EXPECT_EQ(out.str(), "<secret>");
  EXPECT_EQ(secret.reveal(), "hunter2");
  EXPECT_FALSE(secret.empty());
}

TEST(Secret, AnEmptyOnePrintsNothing) {
  std::ostringstream out;
  out << Secret{};
  EXPECT_EQ(out.str(), "");
  EXPECT_TRUE(Secret{}.empty());
  EXPECT_EQ(Secret("a"), Secret("a"));
  EXPECT_NE(Secret("a"), Secret("b"));
}

}  // namespace
}  // namespace sensus
