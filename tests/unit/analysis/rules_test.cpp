#include "sensus/analysis/rules.hpp"

#include "sensus/config/reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sensus::analysis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Timestamp kNow = parse_rfc3339("2026-07-01T12:00:00Z").value();

struct Read {
  Options options;
  std::vector<config::Section> sections{config::Section("analysis", "x")};
  std::vector<std::string> problems;
  explicit Read(const std::string& text) {
    describe(sections.front(), options);
    for (const config::Problem& problem :
         config::read_yaml(text, sections, [](const std::string&) -> std::optional<std::string> { return std::nullopt; })) {
      problems.push_back(config::render(problem, "f"));
    }
  }
};

TEST(Rules, WithoutAnyNothingIsHeldBack) {
  const auto rules = Rules::make({});
  ASSERT_TRUE(rules);
  EXPECT_TRUE(rules->selectors().empty());
  EXPECT_TRUE(rules->steps().empty());
  const ml::Gates gates = rules->gates(std::nullopt, kNow);
  EXPECT_TRUE(ml::lets_pass(gates, 1e300, 0));
  EXPECT_FALSE(gates.is_muted);
  EXPECT_EQ(gates.utc_offset, 0s);
}

TEST(Rules, AreReadFromTheConfiguration) {
  const Read read(
      "analysis:\n"
      "  rules:\n"
      "    - {selector: 'disk_used_ratio{mount!=\"/tmp\"}', direction: above, value_min: 0.8, deviation_relative_min: 0.05}\n"
      "    - selector: '{env=\"test\"}'\n      mute: true\n"
      "    - {selector: 'queue_length', step: 15s, deviation_min: 10, warmup: 500}\n"
      "  holidays: [2026-12-25, 2027-01-01]\n"
      "  time_zone: Europe/Berlin\n");
  ASSERT_THAT(read.problems, IsEmpty());
  const auto rules = Rules::make(read.options);
  ASSERT_TRUE(rules);
  ASSERT_EQ(rules->selectors().size(), 3U);
  const ml::Gates disk = rules->gates(0, kNow);
  EXPECT_FALSE(ml::lets_pass(disk, 0.5, 0.9)) << "below";
  EXPECT_FALSE(ml::lets_pass(disk, 0.7, 0.5)) << "out of its range";
  EXPECT_FALSE(ml::lets_pass(disk, 0.82, 0.81)) << "hardly off";
  EXPECT_TRUE(ml::lets_pass(disk, 0.95, 0.81));
  EXPECT_TRUE(rules->gates(1, kNow).is_muted);
  EXPECT_EQ(rules->gates(2, kNow).warmup, 500U);
  EXPECT_FALSE(ml::lets_pass(rules->gates(2, kNow), 9, 0));
  EXPECT_THAT(disk.holidays, ElementsAre(20'812, 20'819));
  EXPECT_EQ(disk.utc_offset, 2h) << "summer time";
  EXPECT_EQ(rules->gates(0, kNow + std::chrono::hours{24 * 180}).utc_offset, 1h);
  ASSERT_EQ(rules->steps().size(), 3U) << "those without a step of their own stand before those that have one";
  EXPECT_EQ(rules->steps()[1].step, 0s);
  EXPECT_EQ(rules->steps()[2].step, 15s);
}

TEST(Rules, MistakesAreFoundWhenTheConfigurationIsRead) {
  const Read read(
      "analysis:\n"
      "  rules:\n"
      "    - {selector: 'disk{'}\n"
      "    - {selector: '{job=~\"(a)\\\\1\"}'}\n"
      "    - {direction: up, selector: x}\n"
      "    - {mute: true}\n"
      "  holidays: [2026-02-30]\n"
      "  time_zone: Mars/Olympus\n");
  ASSERT_EQ(read.problems.size(), 6U);
  EXPECT_THAT(read.problems[0], HasSubstr("f:3:18: analysis.rules[0].selector: "));
  EXPECT_THAT(read.problems[1], HasSubstr("f:4:18: analysis.rules[1].selector: "));
  EXPECT_THAT(read.problems[2], HasSubstr("analysis.rules[2].direction: 'up' is not known"));
  EXPECT_THAT(read.problems[3], HasSubstr("analysis.rules[3].selector: is missing"));
  EXPECT_THAT(read.problems[4], HasSubstr("f:7:13: analysis.holidays: '2026-02-30' is no day"));
  EXPECT_THAT(read.problems[5], HasSubstr("there is no time zone 'Mars/Olympus'"));
}

TEST(Rules, ALimitIsWatchedOnlyWithATime) {
  const Read read(
      "analysis:\n  rules:\n    - {selector: a, limit: 3}\n    - {selector: b, limit: -0.5, limit_direction: below, limit_within: 3d}\n");
  ASSERT_THAT(read.problems, IsEmpty());
  const auto limits = Rules::make(read.options).value().limits();
  ASSERT_EQ(limits.size(), 1U);
  EXPECT_EQ(limits[0].rule, 1U);
  EXPECT_EQ(limits[0].value, -0.5);
  EXPECT_TRUE(limits[0].is_below);
  EXPECT_EQ(limits[0].within, 72h);
}

TEST(Rules, ADayThatIsNoneIsRefused) {
  Options options;
  options.holidays = {"2026-02-30"};
  const auto rules = Rules::make(options);
  ASSERT_FALSE(rules);
  EXPECT_THAT(rules.error().message, HasSubstr("2026-02-30"));
}

TEST(Groups, AreReadFromTheConfiguration) {
  const Read read(
      "analysis:\n"
      "  groups:\n"
      "    - {name: web, selector: '{__name__=~\"http_.+\"}', by: job, columns_max: 64}\n"
      "    - name: hosts\n      selector: node_load1\n");
  ASSERT_THAT(read.problems, IsEmpty());
  ASSERT_EQ(read.options.groups.size(), 2U);
  EXPECT_EQ(read.options.groups[0].by, "job");
  EXPECT_EQ(read.options.groups[0].columns_max, 64);
  EXPECT_EQ(read.options.groups[1].name, "hosts");
  EXPECT_EQ(read.options.groups[1].by, "service");
  EXPECT_EQ(read.options.groups[1].columns_max, 16);
}

TEST(Groups, MistakesNameTheirPlace) {
  const auto problem = [](const std::string& group) {
    const Read read("analysis:\n  groups:\n    - " + group + "\n");
    return read.problems.empty() ? std::string() : read.problems.front();
  };
  EXPECT_THAT(problem("{selector: up}"), HasSubstr("name"));
  EXPECT_THAT(problem("{name: x}"), HasSubstr("selector"));
  EXPECT_THAT(problem("{name: x, selector: '{'}"), HasSubstr("groups[0].selector"));
  EXPECT_THAT(problem("{name: x, selector: up, by: group}"), HasSubstr("groups[0].by"));
  EXPECT_THAT(problem("{name: x, selector: up, columns_max: 1}"), HasSubstr("groups[0].columns_max"));
  EXPECT_THAT(problem("{name: x, selector: up, columns_max: 65}"), HasSubstr("groups[0].columns_max"));
}

}  // namespace
}  // namespace sensus::analysis
