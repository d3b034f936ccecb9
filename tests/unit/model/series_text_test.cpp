#include "sensus/model/series_text.hpp"

#include "sensus/model/selector.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace sensus::model {
namespace {

TEST(SeriesText, IsWhatPeopleWrite) {
  EXPECT_EQ(render_series_text("up", {}), "up");
  EXPECT_EQ(render_series_text("cpu", {{"mode", "idle"}, {"host", "a"}}),
            "cpu{host=\"a\",mode=\"idle\"}");
  EXPECT_EQ(render_series_text("disk.free", {{"path", "C:\\\"x\"\n"}}),
            "{\"disk.free\",path=\"C:\\\\\\\"x\\\"\\n\"}");
}

TEST(SeriesText, IsASelector) {
  const std::vector<std::pair<std::string, Labels>> all{{"a:b", {{"x", "\\n\n"}}},
                                                        {"http.server", {{"a b", "c\"d"}}}};
  for (const auto& [name, labels] : all) {
    const Result<Selector> selector = parse_selector(render_series_text(name, labels));
    ASSERT_TRUE(selector) << selector.error().message;
    ASSERT_EQ(selector->size(), 2U);
    for (const SeriesMatcher& matcher : *selector) {
      EXPECT_EQ(matcher.op, SeriesMatchOp::equal);
      EXPECT_EQ(matcher.value,
                matcher.name == kNameLabel ? name : std::string(labels.get(matcher.name)));
    }
  }
}

}  // namespace
}  // namespace sensus::model
