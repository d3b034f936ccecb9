#include "sealed_state_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::analysis {
namespace {

StateLabel label() {
  return {{1, 7}, "isolation_forest-0a1b2c3d", from_unix_us(1'763'640'000'000'000)};
}

TEST(SealedState, OpensWithItsLabel) {
  const std::string sealed = seal_state(label(), "what a detector learned");
  const OpenedState opened = open_state(label(), sealed);
  EXPECT_EQ(opened.flaw, SealFlaw::none);
  EXPECT_EQ(opened.detector, "what a detector learned");
}

TEST(SealedState, AnEmptyDetectorIsOne) {
  const std::string sealed = seal_state(label(), {});
  EXPECT_EQ(open_state(label(), sealed).flaw, SealFlaw::none);
}

TEST(SealedState, EveryFlippedBitIsFound) {
  const std::string sealed = seal_state(label(), "thirteen byte");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string broken = sealed;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_EQ(open_state(label(), broken).flaw, SealFlaw::damaged) << "bit " << bit;
  }
}

TEST(SealedState, EveryTruncationIsFound) {
  const std::string sealed = seal_state(label(), "thirteen byte");
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_EQ(open_state(label(), std::string_view(sealed).substr(0, size)).flaw, SealFlaw::damaged)
        << size;
  }
  EXPECT_EQ(open_state(label(), sealed + std::string(8, '\0')).flaw, SealFlaw::damaged);
}

TEST(SealedState, IsOfNoUseToAnotherSeriesModelOrTime) {
  const std::string sealed = seal_state(label(), "what a detector learned");
  StateLabel series = label();
  series.key.series = 8;
  StateLabel tenant = label();
  tenant.key.tenant = 2;
  StateLabel model = label();
  model.model_key = "isolation_forest-0a1b2c3e";
  StateLabel time = label();
  time.last_time += std::chrono::microseconds{1};
  for (const StateLabel& other : {series, tenant, model, time}) {
    EXPECT_EQ(open_state(other, sealed).flaw, SealFlaw::other_label);
  }
}

}  // namespace
}  // namespace sensus::analysis
