#include "sensus/core/assert.hpp"
#include "sensus/model/analysis.hpp"
#include "sensus/model/event.hpp"
#include "sensus/model/job.hpp"

#include <array>

namespace sensus::model {
namespace {

constexpr std::array<std::string_view, kTopicCount> kTopics{"metrics", "alerts", "explanations", "events"};
constexpr std::array<std::string_view, 4> kJobStates{"queued", "running", "done", "failed"};
constexpr std::array<std::string_view, 3> kJobKinds{"retrain", "evaluate", "train"};
constexpr std::array<std::string_view, 3> kAnalysisTypes{"anomaly_detection", "evidence_report", "llm_analysis"};

template <class Enum, std::size_t N>
std::optional<Enum> find_name(const std::array<std::string_view, N>& names, std::string_view text) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == text) {
      return static_cast<Enum>(i);
    }
  }
  return std::nullopt;
}

template <std::size_t N>
std::string_view name_at(const std::array<std::string_view, N>& names, std::size_t index) {
  SENSUS_ASSERT(index < N);
  return names[index];
}

}  // namespace

std::string_view to_string(AnalysisType type) { return name_at(kAnalysisTypes, static_cast<std::size_t>(type)); }

std::optional<AnalysisType> parse_analysis_type(std::string_view text) {
  return find_name<AnalysisType>(kAnalysisTypes, text);
}

std::string_view to_string(JobState state) { return name_at(kJobStates, static_cast<std::size_t>(state)); }

std::optional<JobState> parse_job_state(std::string_view text) { return find_name<JobState>(kJobStates, text); }

std::string_view to_string(JobKind kind) { return name_at(kJobKinds, static_cast<std::size_t>(kind)); }

std::optional<JobKind> parse_job_kind(std::string_view text) { return find_name<JobKind>(kJobKinds, text); }

std::string_view to_string(Topic topic) { return name_at(kTopics, static_cast<std::size_t>(topic)); }

std::optional<Topic> parse_topic(std::string_view text) { return find_name<Topic>(kTopics, text); }

bool has_group(Topic topic) { return topic != Topic::events; }

}  // namespace sensus::model
