#include "fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sensus::config::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Field& field(Fixture& f, std::size_t section, std::string_view key) {
  for (Field& candidate : f.sections.at(section).fields()) {
    if (candidate.key == key) {
      return candidate;
    }
  }
  throw std::out_of_range(std::string(key));
}

TEST(Section, AcceptsTheBoundsAndRefusesOneBeyond) {
  Fixture f;
  Field& workers = field(f, 0, "workers");
  EXPECT_TRUE(workers.set("1"));
  EXPECT_TRUE(workers.set("64"));
  EXPECT_FALSE(workers.set("0"));
  EXPECT_FALSE(workers.set("65"));
  EXPECT_FALSE(workers.set("99999999999999999999"));
  EXPECT_FALSE(workers.set("1.0"));
  EXPECT_FALSE(workers.set(""));
  EXPECT_EQ(f.workers, 64);

  Field& limit = field(f, 0, "limit");
  EXPECT_TRUE(limit.set("1KiB"));
  EXPECT_FALSE(limit.set("1023B"));
  EXPECT_FALSE(limit.set("65MiB"));

  Field& timeout = field(f, 0, "timeout");
  EXPECT_TRUE(timeout.set("100ms"));
  EXPECT_FALSE(timeout.set("99ms"));
  EXPECT_FALSE(timeout.set("601s"));
}

TEST(Section, ACheckComesBeforeTheValue) {
  std::string value = "before";
  Section section("s", "help");
  section.string("key", value, "Help.").checked([](std::string_view text) -> Result<> {
    return text == "good" ? Result<>() : Result<>(make_error(Errc::invalid_input, "must be good"));
  });
  const auto refused = section.fields().at(0).set("bad");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "must be good");
  EXPECT_EQ(value, "before");
  EXPECT_TRUE(section.fields().at(0).set("good"));
  EXPECT_EQ(value, "good");
}

TEST(Section, RefusesNumbersThatAreNotFinite) {
  Fixture f;
  Field& threshold = field(f, 0, "threshold");
  EXPECT_TRUE(threshold.set("1e-3"));
  EXPECT_FALSE(threshold.set("nan"));
  EXPECT_FALSE(threshold.set("inf"));
  EXPECT_FALSE(threshold.set("1e400"));
  EXPECT_DOUBLE_EQ(f.threshold, 0.001);
}

TEST(Section, AFieldTellsTypeBoundsAndDefault) {
  Fixture f;
  const Field& timeout = field(f, 0, "timeout");
  EXPECT_EQ(timeout.type, "duration");
  EXPECT_EQ(timeout.allowed, "100ms to 10m");
  EXPECT_EQ(timeout.default_text, "5s");
  EXPECT_EQ(field(f, 0, "listen").default_text, "[\"127.0.0.1:8080\"]");
  EXPECT_EQ(field(f, 1, "level").type, "one of debug|info|error");
  EXPECT_TRUE(field(f, 1, "level").reloadable);
  EXPECT_FALSE(field(f, 1, "name").reloadable);
}

TEST(Section, ListsAreBounded) {
  Fixture f;
  Field& listen = field(f, 0, "listen");
  EXPECT_TRUE(listen.set_list(std::vector<std::string>(64, "a")));
  EXPECT_FALSE(listen.set_list(std::vector<std::string>(65, "a")));
}

TEST(Section, ASecretIsNeverShown) {
  Fixture f;
  EXPECT_EQ(field(f, 1, "password").get(), "\"\"");
  f.password = Secret("canary");
  EXPECT_EQ(field(f, 1, "password").get(), "\"<secret>\"");
}

}  // namespace
}  // namespace sensus::config::test
