#include "sensus/model/alert.hpp"
#include "sensus/model/analysis.hpp"
#include "sensus/model/event.hpp"
#include "sensus/model/job.hpp"

#include <gtest/gtest.h>

namespace sensus::model {
namespace {

TEST(ModelEnums, TopicsReadBackWhatTheyPrint) {
  for (int i = 0; i < kTopicCount; ++i) {
    const auto topic = static_cast<Topic>(i);
    EXPECT_EQ(parse_topic(to_string(topic)), topic);
  }
  EXPECT_EQ(parse_topic("metric"), std::nullopt);
  EXPECT_EQ(parse_topic(""), std::nullopt);
}

TEST(ModelEnums, OnlyEventsHaveNoGroup) {
  EXPECT_TRUE(has_group(Topic::metrics));
  EXPECT_TRUE(has_group(Topic::alerts));
  EXPECT_TRUE(has_group(Topic::explanations));
  EXPECT_FALSE(has_group(Topic::events));
}

TEST(ModelEnums, AnalysisTypesCarryTheSeedsNames) {
  EXPECT_EQ(to_string(AnalysisType::anomaly_detection), "anomaly_detection");
  EXPECT_EQ(to_string(AnalysisType::evidence_report), "evidence_report");
  EXPECT_EQ(to_string(AnalysisType::llm_analysis), "llm_analysis");
  EXPECT_EQ(parse_analysis_type("llm_analysis"), AnalysisType::llm_analysis);
  EXPECT_EQ(parse_analysis_type("LLM_analysis"), std::nullopt);
}

TEST(ModelEnums, JobsReadBackWhatTheyPrint) {
  for (const JobState state : {JobState::queued, JobState::running, JobState::done, JobState::failed}) {
    EXPECT_EQ(parse_job_state(to_string(state)), state);
  }
  for (const JobKind kind : {JobKind::retrain, JobKind::evaluate, JobKind::train}) {
    EXPECT_EQ(parse_job_kind(to_string(kind)), kind);
  }
  EXPECT_EQ(to_string(JobState::running), "running");
  EXPECT_EQ(to_string(JobKind::train), "train");
  EXPECT_EQ(parse_job_state("Done"), std::nullopt);
  EXPECT_EQ(parse_job_kind(""), std::nullopt);
}

TEST(ModelEnums, AlertStatusNames) {
  EXPECT_EQ(to_string(AlertStatus::firing), "firing");
  EXPECT_EQ(to_string(AlertStatus::resolved), "resolved");
}

}  // namespace
}  // namespace sensus::model
