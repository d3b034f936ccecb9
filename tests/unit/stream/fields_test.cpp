#include "sensus/stream/stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace sensus::stream {
namespace {

redis::Reply as_reply(const std::vector<std::string>& fields) {
  redis::Reply::Array array;
  for (const std::string& field : fields) {
    array.push_back(redis::Reply{field});
  }
  return redis::Reply{std::move(array)};
}

model::Event sample_event() {
  model::Event event;
  event.id = 42;
  event.topic = model::Topic::alerts;
  event.type = "alert";
  event.payload = "{\"alert_id\":7}";
  event.created_at = from_unix_us(1'795'167'960'674'012);
  return event;
}

TEST(StreamFields, AreTheSeedsAndTheOutboxId) {
  EXPECT_EQ(render_fields(sample_event()),
            (std::vector<std::string>{"type", "alert", "data", "{\"alert_id\":7}", "ts",
                                      "1795167960.674012", "id", "42"}));
}

TEST(StreamFields, ComeBackUnchanged) {
  for (const std::int64_t us : {std::int64_t{0}, std::int64_t{5}, std::int64_t{-1'500'000},
                                std::int64_t{1'795'167'960'000'000}}) {
    model::Event event = sample_event();
    event.created_at = from_unix_us(us);
    const std::optional<model::Event> back =
        parse_fields(model::Topic::alerts, as_reply(render_fields(event)));
    ASSERT_TRUE(back) << us;
    EXPECT_EQ(back->id, 42);
    EXPECT_EQ(back->topic, model::Topic::alerts);
    EXPECT_EQ(back->type, "alert");
    EXPECT_EQ(back->payload, event.payload);
    EXPECT_EQ(to_unix_us(back->created_at), us);
  }
}

TEST(StreamFields, OrderAndForeignFieldsDoNotMatter) {
  EXPECT_TRUE(parse_fields(model::Topic::alerts, as_reply({"trace", "x", "id", "1", "ts", "10",
                                                           "data", "{}", "type", "alert"})));
}

TEST(StreamFields, EachMissingFieldIsPoison) {
  const std::vector<std::string> whole = render_fields(sample_event());
  for (std::size_t i = 0; i < whole.size(); i += 2) {
    std::vector<std::string> part = whole;
    part.erase(part.begin() + static_cast<std::ptrdiff_t>(i),
               part.begin() + static_cast<std::ptrdiff_t>(i) + 2);
    EXPECT_FALSE(parse_fields(model::Topic::alerts, as_reply(part))) << whole[i];
  }
}

TEST(StreamFields, MalformedValuesArePoison) {
  const auto with = [](const std::string& name, const std::string& value) {
    std::vector<std::string> fields = render_fields(sample_event());
    *(std::find(fields.begin(), fields.end(), name) + 1) = value;
    return parse_fields(model::Topic::alerts, as_reply(fields)).has_value();
  };
  EXPECT_TRUE(with("ts", "12.5"));
  for (const char* ts : {"", "abc", "1.2.3", "1e9", "nan", ".5", "--1", "99999999999999", "1.-5"}) {
    EXPECT_FALSE(with("ts", ts)) << ts;
  }
  for (const char* id : {"", "x", "-1", "1.5", "99999999999999999999"}) {
    EXPECT_FALSE(with("id", id)) << id;
  }
  EXPECT_FALSE(with("type", ""));
  EXPECT_FALSE(with("data", ""));
  EXPECT_FALSE(parse_fields(model::Topic::alerts, redis::Reply{}));
  EXPECT_FALSE(parse_fields(model::Topic::alerts, as_reply({"type"})));
}

TEST(StreamFields, EveryTopicHasItsKey) {
  Options options;
  EXPECT_EQ(key_of(options, model::Topic::metrics), "metrics:raw");
  EXPECT_EQ(key_of(options, model::Topic::alerts), "sensus:alerts");
  EXPECT_EQ(key_of(options, model::Topic::explanations), "sensus:explanations");
  EXPECT_EQ(key_of(options, model::Topic::events), "sensus:events");
}

}  // namespace
}  // namespace sensus::stream
