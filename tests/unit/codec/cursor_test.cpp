#include "sensus/codec/model_json.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace sensus::codec {
namespace {

TEST(Cursor, RoundTripsExtremes) {
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t time : {kMin, std::int64_t{-1}, std::int64_t{0}, std::int64_t{1'764'000'000'123'456}, kMax}) {
    for (const std::int64_t id : {kMin, std::int64_t{0}, std::int64_t{42}, kMax}) {
      const std::string text = render_cursor({from_unix_us(time), id});
      EXPECT_EQ(text.find_first_of("+/=&? "), std::string::npos) << text;
      const auto back = parse_cursor(text);
      ASSERT_TRUE(back.has_value()) << text;
      EXPECT_EQ(to_unix_us(back->time), time);
      EXPECT_EQ(back->id, id);
    }
  }
}

TEST(Cursor, RefusesWhatItDidNotMake) {
  const std::string good = render_cursor({from_unix_us(1'764'000'000'123'456), 42});
  for (const std::string& bad : {std::string(), good + "A", good.substr(1), std::string(24, 'A'), std::string(24, '!'),
                                 std::string(100'000, 'A'), "B" + good.substr(1)}) {
    EXPECT_FALSE(parse_cursor(bad).has_value()) << bad.substr(0, 40);
  }
}

TEST(Cursor, AnyChangedCharacterShows) {
  const std::string good = render_cursor({from_unix_us(1'764'000'000'123'456), 42});
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    EXPECT_FALSE(parse_cursor(changed).has_value()) << changed;
  }
}

}  // namespace
}  // namespace sensus::codec
