#include "sensus/config/section.hpp"
#include "sensus/storage/compaction.hpp"

#include <gtest/gtest.h>

namespace sensus::storage {
namespace {

using namespace std::chrono_literals;

TEST(TenantRetention, ReadsWhatATenantKeeps) {
  const auto tenant = parse_tenant_retention("7 raw=14d  rollup_1h=365d");
  ASSERT_TRUE(tenant.has_value());
  EXPECT_EQ(tenant->tenant, 7);
  EXPECT_EQ(tenant->raw, 14 * 24h);
  EXPECT_FALSE(tenant->rollup_5m.has_value());
  EXPECT_EQ(tenant->rollup_1h, 365 * 24h);
}

TEST(TenantRetention, RefusesWhatItCannotRead) {
  for (const char* text : {"", "7", "x raw=14d", "0 raw=14d", "-1 raw=14d", "7x raw=14d", "7 raw", "7 raw=", "7 raw=1h", "7 raw=3651d",
                           "7 raw=14d raw=15d", "7 rollup=14d", "99999999999 raw=14d"}) {
    const auto tenant = parse_tenant_retention(text);
    ASSERT_FALSE(tenant.has_value()) << text;
    EXPECT_NE(tenant.error().message.find("7 raw=14d rollup_5m=90d"), std::string::npos) << "says what is allowed: " << text;
  }
}

TEST(TenantRetention, TheKeyTakesATenantOnce) {
  RetentionOptions options;
  config::Section section("retention", "");
  describe(section, options);
  const config::Field& field = section.fields().back();
  ASSERT_EQ(field.key, "tenants");
  EXPECT_TRUE(field.set_list({"7 raw=14d", "8 raw=14d"}).has_value());
  EXPECT_EQ(options.tenants.size(), 2U);
  EXPECT_FALSE(field.set_list({"7 raw=14d", "7 rollup_5m=14d"}).has_value());
  EXPECT_FALSE(field.set_list({"7 raw"}).has_value());
  EXPECT_EQ(options.tenants.size(), 2U) << "what was refused changes nothing";
}

}  // namespace
}  // namespace sensus::storage
