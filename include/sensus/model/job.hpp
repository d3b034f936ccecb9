#pragma once

#include "sensus/core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sensus::model {

enum class JobState { queued, running, done, failed };
[[nodiscard]] std::string_view to_string(JobState state);
[[nodiscard]] std::optional<JobState> parse_job_state(std::string_view text);

/// What a job does: `retrain` all detectors, `evaluate` the active model, `train` a new version.
enum class JobKind { retrain, evaluate, train };
[[nodiscard]] std::string_view to_string(JobKind kind);
[[nodiscard]] std::optional<JobKind> parse_job_kind(std::string_view text);

/// A row of `jobs`: work on models that outlasts a request.
struct Job {
  std::int64_t id = 0;
  JobKind kind = JobKind::train;
  std::string parameters_json;      ///< Object; what was asked for.
  std::optional<Timestamp> due_at;  ///< Set when the schedule asked for it, else somebody did by hand.
  JobState state = JobState::queued;
  double progress = 0;              ///< 0..1
  std::string result_json;          ///< Object; empty until done.
  std::string error;                ///< Of a failed one.
  Timestamp created_at;
  std::optional<Timestamp> started_at;
  std::optional<Timestamp> finished_at;
};

}  // namespace sensus::model
