#pragma once

#include "sensus/analysis/anomaly_alerts.hpp"
#include "sensus/analysis/anomaly_worker.hpp"
#include "sensus/runtime/signal.hpp"

#include "anomaly_metrics_internal.hpp"
#include "anomaly_scoring_internal.hpp"
#include "detector_cache_internal.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace sensus::analysis {

inline constexpr std::string_view kAlgorithm = "isolation_forest";

[[nodiscard]] std::string render_parameters(const ml::DetectorParams& params);
/// What the JSON object says, over `defaults`. `corrupt` for JSON that is no such object.
[[nodiscard]] Result<ml::DetectorParams> parse_parameters(const std::string& json, ml::DetectorParams defaults);
/// Of the versions of the model that have these parameters.
[[nodiscard]] std::string version_prefix(const ml::DetectorParams& params);
[[nodiscard]] model::ModelVersion make_version(const ml::DetectorParams& params, Timestamp now);

/// An entry whose effect is not committed yet. Kept over failed attempts: its steps have moved the detectors, so scoring them again would
/// find nothing.
struct PendingEvent {
  struct Step {
    SeriesId series = 0;
    model::Sample sample;  ///< Once it is done, what the detector judged: of a counter the rate, NaN where nothing was.
    bool done = false;
  };
  EventId id = 0;
  TenantId tenant = kDefaultTenant;
  std::chrono::seconds step{60};
  std::vector<Step> steps;
  std::vector<model::Anomaly> found;
};

/// A series from which nothing came for long.
struct Silence {
  SeriesKey key;
  Timestamp time;  ///< When it was noticed.
  ml::Verdict verdict;
  bool is_rate = false;
};

/// Members are used on the reactor only; coroutines hold it by shared_ptr because the worker may be destroyed while they wait.
struct AnomalyWorker::Impl : std::enable_shared_from_this<AnomalyWorker::Impl> {
  Impl(Deps d, AnomalyOptions o);

  /// Detectors and `pending` belong to one coroutine at a time: waits for the others, and lets the next one in at the end of the scope.
  class Turn {
   public:
    explicit Turn(Impl& impl) : impl_(impl) {}
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    [[nodiscard]] runtime::Async<> enter(Deadline deadline);
    /// The same, but `cancelled` after `stop`.
    [[nodiscard]] runtime::Async<> enter_unless_stopped(Deadline deadline);

   private:
    runtime::Async<> wait(Deadline deadline, bool until_stop);
    Impl& impl_;
    bool inside_ = false;
  };
  /// What is not simply "acknowledge" or "still pending".
  using Verdicts = std::map<EventId, stream::Disposition>;

  // anomaly_worker.cpp
  static runtime::Async<std::vector<stream::Disposition>> handle(std::shared_ptr<Impl> self, std::vector<stream::Entry> entries);
  runtime::Async<> take_in(Deadline deadline, std::vector<stream::Entry> entries, Verdicts& verdicts);
  [[nodiscard]] std::vector<stream::Entry> choose_new(std::vector<stream::Entry> entries, Verdicts& verdicts) const;
  runtime::Async<> store_all(Deadline deadline, Verdicts& verdicts);
  runtime::Task store_singly(Deadline deadline, TenantId tenant, std::vector<EventId> ids, Verdicts& verdicts);
  runtime::Async<> store(Deadline deadline, TenantId tenant, std::vector<EventId> ids);
  runtime::Async<> tell_alerts(Deadline deadline, TenantId tenant, std::vector<model::Anomaly> anomalies, std::vector<JudgedStep> steps);
  runtime::Async<> commit(Deadline deadline, TenantId tenant, std::vector<model::Anomaly> anomalies, std::vector<EventId> ids);
  void forget(const std::vector<EventId>& ids);
  [[nodiscard]] std::vector<JudgedStep> judged_steps(TenantId tenant, const std::vector<EventId>& ids) const;
  [[nodiscard]] bool is_pending(EventId id) const;
  [[nodiscard]] std::size_t pending_steps() const;

  // anomaly_steps.cpp
  runtime::Async<> score_all(Deadline deadline);
  runtime::Async<> score_new(Deadline deadline, std::vector<SeriesTask> tasks);
  runtime::Async<> score_behind(Deadline deadline, std::vector<SeriesTask> tasks);
  runtime::Async<> score_chunk(Deadline deadline, std::vector<SeriesTask> tasks);
  runtime::Async<> load_history(Deadline deadline, std::vector<SeriesTask>& tasks);
  [[nodiscard]] std::map<SeriesKey, SeriesTask> collect_tasks() const;
  void mark_done(const std::vector<PendingStep>& steps);
  void refuse(const SeriesTask& task, DetectorCache::Place place);

  // anomaly_facts.cpp
  runtime::Async<> look_up(Deadline deadline, std::vector<SeriesTask>& tasks);

  // anomaly_states.cpp
  static runtime::Task run_saving(std::shared_ptr<Impl> self);
  static runtime::Async<> save_all(std::shared_ptr<Impl> self, Deadline deadline);
  static runtime::Async<> forget_all(std::shared_ptr<Impl> self, Deadline deadline);
  runtime::Async<> save_states(Deadline deadline, std::vector<SeriesKey> keys);
  /// By tenant and profile.
  using SealedStates = std::map<std::pair<TenantId, ml::Profile>, std::vector<storage::DetectorState>>;
  runtime::Async<> save_evicted(Deadline deadline);
  runtime::Async<> save_sealed(Deadline deadline, SealedStates sealed);
  runtime::Async<> restore(Deadline deadline, std::vector<SeriesTask>& tasks);
  runtime::Async<> restore_profile(Deadline deadline, ml::Profile profile, std::vector<SeriesTask>& tasks);
  [[nodiscard]] std::optional<storage::DetectorState> seal(SeriesKey key, const std::set<SeriesKey>& uncommitted) const;
  [[nodiscard]] std::set<SeriesKey> uncommitted_series() const;
  void refuse_state(SeriesKey key, std::string_view reason);

  // anomaly_silences.cpp
  static runtime::Task run_silences(std::shared_ptr<Impl> self);
  static runtime::Async<> look_for_silences(std::shared_ptr<Impl> self, Deadline deadline);
  [[nodiscard]] std::vector<Silence> find_silences(Deadline::TimePoint now);
  runtime::Async<> confirm(Deadline deadline, std::vector<Silence>& silences);
  runtime::Async<> store_silences(Deadline deadline, const std::vector<Silence>& silences);

  // anomaly_feedback.cpp
  runtime::Async<> apply_feedback(Deadline deadline);

  // anomaly_schedule.cpp
  static runtime::Task run_schedule(std::shared_ptr<Impl> self);
  runtime::Async<> ensure_version(Deadline deadline);
  runtime::Async<> look_at_version(Deadline deadline);
  runtime::Async<> use(Deadline deadline, model::ModelVersion version);
  runtime::Async<> refresh_version();
  static runtime::Async<std::size_t> retrain_all(std::shared_ptr<Impl> self);
  runtime::Async<std::size_t> retrain_chunk(std::vector<SeriesKey> keys);
  void stop();

  Deps deps;
  AnomalyOptions options;
  AnomalyMetrics metrics;
  DetectorCache cache;
  std::vector<PendingEvent> pending;
  std::set<SeriesId> learned_anew;          ///< They have forgotten what was said of them.
  std::set<std::int64_t> learned_feedback;  ///< Learned, but not stored as learned yet.
  ml::DetectorParams params;  ///< Of the active version, or of the configuration until it is known.
  std::string model_version;  ///< Empty until it is known to be stored.
  /// Made by the first coroutine, which knows the executor.
  std::optional<runtime::Signal> idle;
  std::optional<runtime::Signal> stopping;
  std::optional<runtime::Signal> listening;  ///< The loop that looks for silences.
  Deadline::TimePoint listening_since{};     ///< Before it nobody would have noticed a step.
  Deadline::TimePoint listened_at{};
  std::size_t listened_to = 0;               ///< Where the next look goes on.
  std::optional<runtime::Signal> looking;  ///< The loop that follows the active version.
  bool busy = false;  ///< A Turn is on.
  bool stopped = false;
};

}  // namespace sensus::analysis
