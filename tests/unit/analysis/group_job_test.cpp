#include "group_job_internal.hpp"

#include "sensus/ml/detector.hpp"

#include "anomaly_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace sensus::analysis {
namespace {

using ::sensus::analysis::test::minute;

/// Normal enough: twelve uniform ones.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 1) {}
  double operator()() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) {
      state_ = state_ * 6'364'136'223'846'793'005ULL + 1'442'695'040'888'963'407ULL;
      sum += static_cast<double>(state_ >> 11U) * 0x1.0p-53;
    }
    return sum;
  }

 private:
  std::uint64_t state_;
};

constexpr std::size_t kSteps = 3 * 1440;
constexpr std::size_t kOdd = kSteps - 300;
constexpr std::size_t kOddEnd = kOdd + 120;

/// Four metrics of a service that follow one load, which wanders about. From kOdd on the third one
/// goes ways of its own for two hours: it begins where it was and wanders as before.
std::vector<storage::SampleStore::StepMeans> service(std::uint64_t seed) {
  Noise noise(seed);
  double load = 0;
  double own = 0;
  std::vector<storage::SampleStore::StepMeans> out{{1, {}}, {2, {}}, {3, {}}, {4, {}}};
  for (std::size_t i = 0; i < kSteps; ++i) {
    load = 0.98 * load + 0.2 * noise();
    own = i >= kOdd && i < kOddEnd ? 0.98 * own + 0.2 * noise() : load;
    const std::array<double, 4> values{
        500 + 100 * load + 8 * noise(), 40 + 9 * load + 0.8 * noise(),
        9e6 + 2e6 * own + 2e5 * noise(), 70 - 6 * load + 0.4 * noise()};
    for (std::size_t column = 0; column < values.size(); ++column) {
      out[column].points.push_back({minute(i), values[column]});
    }
  }
  return out;
}

GroupTask task_of(std::vector<storage::SampleStore::StepMeans> steps) {
  GroupTask task;
  std::vector<std::string> names{"requests", "cpu", "network", "free_memory"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    task.columns.push_back({.series = static_cast<SeriesId>(i + 1), .name = names[i]});
  }
  task.detector.emplace(names, ml::GroupParams{.seed = 7});
  task.members = 4;
  task.steps = std::move(steps);
  return task;
}

TEST(GroupJob, FindsWhatNoSeriesShowsAlone) {
  constexpr std::uint64_t kSeeds = 10;
  std::size_t found_by_group = 0;
  std::size_t false_of_group = 0;
  std::size_t found_alone = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const auto steps = service(seed);
    for (const auto& one : steps) {
      const auto detector = ml::make_detector({.seed = seed});
      bool found = false;
      for (std::size_t i = 0; i < kSteps; ++i) {
        found |= detector->update(one.points[i].time, one.points[i].value).is_anomaly &&
                 i >= kOdd && i < kOddEnd;
      }
      found_alone += found ? 1U : 0U;
    }
    GroupJob job;
    job.tasks.push_back(task_of(steps));
    job.tasks.front().judged = minute(1439);
    run(job);
    bool found = false;
    for (const GroupRow& row : job.tasks.front().rows) {
      const bool is_odd = row.time >= minute(kOdd) && row.time < minute(kOddEnd);
      found |= row.anomaly && is_odd;
      false_of_group += row.anomaly && !is_odd && row.time < minute(kOdd) ? 1U : 0U;
      if (row.anomaly && is_odd) {
        EXPECT_THAT(row.anomaly->contributions_json, testing::HasSubstr("\"feature\":\"network\""));
        EXPECT_EQ(row.anomaly->value, row.score);
        EXPECT_GE(row.score, row.anomaly->threshold);
      }
    }
    found_by_group += found ? 1U : 0U;
  }
  RecordProperty("found_by_group", static_cast<int>(found_by_group));
  RecordProperty("found_alone", static_cast<int>(found_alone));
  RecordProperty("false_of_group", static_cast<int>(false_of_group));
  std::printf("group %zu of %llu, alone %zu of %llu series, false of the group %zu in %llu days\n",
              found_by_group, static_cast<unsigned long long>(kSeeds), found_alone,
              static_cast<unsigned long long>(4 * kSeeds), false_of_group,
              static_cast<unsigned long long>(2 * kSeeds));
  EXPECT_GE(found_by_group, 9U);
  EXPECT_LE(found_alone, 4U);
  EXPECT_LE(false_of_group, 10U);
}

TEST(GroupJob, CountsTheShareAndKeepsQuietOfThePast) {
  GroupJob job;
  job.tasks.push_back(task_of({{1, {{minute(0), 1}, {minute(1), 1}, {minute(40), 1}}},
                               {2, {{minute(1), 5}}},
                               {9, {{minute(2), 5}}}}));
  GroupTask& task = job.tasks.front();
  task.judged = minute(0);
  task.odd = {{1, minute(1)}, {2, minute(1)}, {4, minute(41)}};
  run(job);
  ASSERT_EQ(task.rows.size(), 2U) << "a step of the past and a series of no column make no row";
  EXPECT_EQ(task.rows[0].time, minute(1));
  EXPECT_EQ(task.rows[0].share, 0.5) << "two of four, and one that is still to come";
  EXPECT_EQ(task.rows[1].time, minute(40));
  EXPECT_EQ(task.rows[1].share, 0.25)
      << "they are forgotten after a quarter of an hour; the third came in this step";
  EXPECT_EQ(task.rows[1].score, 0) << "too little is known";
}

TEST(GroupJob, CountersAreRates) {
  GroupJob job;
  GroupTask& task = job.tasks.emplace_back();
  task.columns.push_back({.series = 1, .name = "a", .kind = SeriesKind::counter});
  task.members = 1;
  task.steps = {{1, {{minute(0), 100}, {minute(1), 160}}}};
  run(job);
  EXPECT_EQ(task.rows.size(), 1U) << "the first step has no rate";
  task.rows.clear();
  task.steps = {{1, {{minute(2), 220}}}};
  run(job);
  EXPECT_EQ(task.rows.size(), 1U) << "and the next job goes on from it";
}

TEST(GroupJob, SeedsDifferAndStay) {
  EXPECT_EQ(group_seed("web", "cart"), group_seed("web", "cart"));
  EXPECT_NE(group_seed("web", "cart"), group_seed("webc", "art"));
}

}  // namespace
}  // namespace sensus::analysis
