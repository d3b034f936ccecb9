#include "sensus/telemetry/health.hpp"

#include <gtest/gtest.h>

namespace sensus::telemetry {
namespace {

TEST(Health, ChecksEveryProbeInOrderOfRegistration) {
  Health health;
  health.add("database", true, [] { return HealthReport{HealthState::failed, "refused"}; });
  health.add("redis", false, [] { return HealthReport{}; });

  const auto checks = health.check();

  ASSERT_EQ(checks.size(), 2U);
  EXPECT_EQ(checks[0].name, "database");
  EXPECT_TRUE(checks[0].required);
  EXPECT_EQ(checks[0].report.state, HealthState::failed);
  EXPECT_EQ(checks[0].report.reason, "refused");
  EXPECT_FALSE(checks[1].required);
  EXPECT_EQ(checks[1].report.state, HealthState::ok);
}

}  // namespace
}  // namespace sensus::telemetry
