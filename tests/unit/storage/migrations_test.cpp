#include "sensus/storage/maintenance.hpp"

#include <gtest/gtest.h>

namespace sensus::storage {
namespace {

TEST(Migrations, AreEmbeddedWholeAndAscend) {
  const auto& all = migrations();
  ASSERT_FALSE(all.empty());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_GT(all[i].version, i == 0 ? 0 : all[i - 1].version);
    EXPECT_FALSE(all[i].name.empty());
    EXPECT_EQ(all[i].sql.substr(0, 3), "-- ") << "each begins by saying what it is for";
    EXPECT_EQ(all[i].sql.back(), '\n');
    EXPECT_EQ(all[i].sql.find('\0'), std::string_view::npos);
  }
}

}  // namespace
}  // namespace sensus::storage
