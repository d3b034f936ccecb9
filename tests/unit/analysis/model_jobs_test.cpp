#include "anomaly_fixture.hpp"
#include "anomaly_worker_internal.hpp"

#include "sensus/analysis/model_jobs.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sensus::analysis {
namespace {

namespace asio = boost::asio;
using model::JobKind;
using model::JobState;
using test::Rig;

Timestamp at(std::string_view text) { return parse_rfc3339(text).value(); }

/// Jobs in memory; `on_idle` is called when a claim finds nothing to do.
class FakeJobStore final : public storage::JobStore {
 public:
  std::vector<model::Job> jobs;
  std::function<void()> on_idle;

  runtime::Async<model::Job> create(Deadline, TenantId, storage::NewJob fresh) override {
    for (const model::Job& job : jobs) {
      if (fresh.due_at && job.due_at == fresh.due_at && job.kind == fresh.kind) {
        co_return make_error(Errc::already_exists, "made before");
      }
    }
    model::Job job;
    job.id = static_cast<std::int64_t>(jobs.size()) + 1;
    job.kind = fresh.kind;
    job.parameters_json = fresh.parameters_json;
    job.due_at = fresh.due_at;
    jobs.push_back(job);
    co_return job;
  }
  runtime::Async<model::Job> get(Deadline, TenantId, std::int64_t id) override { co_return jobs.at(static_cast<std::size_t>(id) - 1); }
  runtime::Async<storage::Page<model::Job>> list(Deadline, TenantId, std::size_t, std::optional<model::PageKey>) override {
    co_return storage::Page<model::Job>{jobs, std::nullopt};
  }
  runtime::Async<std::optional<model::Job>> claim(Deadline, TenantId, std::string, std::chrono::seconds) override {
    for (model::Job& job : jobs) {
      if (job.state == JobState::queued) {
        job.state = JobState::running;
        co_return std::optional<model::Job>(job);
      }
    }
    if (on_idle) {
      on_idle();
    }
    co_return std::optional<model::Job>{};
  }
  runtime::Async<bool> keep(Deadline, TenantId, std::int64_t, std::string, double, std::chrono::seconds) override { co_return true; }
  runtime::Async<> finish(Deadline, TenantId, std::int64_t id, std::string, Result<std::string> result) override {
    model::Job& job = jobs.at(static_cast<std::size_t>(id) - 1);
    job.state = result ? JobState::done : JobState::failed;
    job.result_json = result ? *result : "";
    job.error = result ? "" : result.error().message;
    co_return Result<>{};
  }
  runtime::Async<std::optional<Timestamp>> last_due(Deadline, TenantId, JobKind kind) override {
    std::optional<Timestamp> last;
    for (const model::Job& job : jobs) {
      last = job.kind == kind && job.due_at ? std::max(last.value_or(*job.due_at), *job.due_at) : last;
    }
    co_return last;
  }
};

struct World {
  explicit World(runtime::Executor executor) : rig(std::move(executor), AnomalyOptions{}) {
    rig.clock.advance(at("2026-11-20T10:00:00Z") - rig.clock.now());
    rig.models.versions.push_back(make_version(detector_params({}), at("2026-11-20T01:00:00Z")));
    rig.models.versions.back().id = 1;
    start();
    jobs.on_idle = [this] { model_jobs->stop(); };
  }
  /// As after a restart of the daemon.
  void start() {
    auto made = ModelJobs::make({jobs, rig.models, rig.samples, rig.states, *rig.worker, rig.cpu, rig.clock, {}, rig.metrics, "me", {}},
                                ModelOptions{});
    model_jobs = std::move(*made);
  }
  void add(JobKind kind, std::string parameters = "{}", std::optional<Timestamp> due = std::nullopt) {
    model::Job job;
    job.id = static_cast<std::int64_t>(jobs.jobs.size()) + 1;
    job.kind = kind;
    job.parameters_json = std::move(parameters);
    job.due_at = due;
    job.state = due ? JobState::done : JobState::queued;
    jobs.jobs.push_back(job);
  }
  Rig rig;
  FakeJobStore jobs;
  std::unique_ptr<ModelJobs> model_jobs;
};

CORO_TEST(ModelJobs, NothingIsMadeUpForTheTimeBeforeTheFirstStart) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  World world(executor);
  co_await world.model_jobs->run();
  EXPECT_TRUE(world.jobs.jobs.empty());
}

CORO_TEST(ModelJobs, MissedRunsAreCaughtUpOnce) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  World world(executor);
  world.add(JobKind::retrain, "{}", at("2026-11-16T02:00:00Z"));  // Four nights ago.
  world.add(JobKind::evaluate, "{}", at("2026-11-20T06:00:00Z"));
  co_await world.model_jobs->run();
  CO_ASSERT_EQ(world.jobs.jobs.size(), 3U);
  EXPECT_EQ(world.jobs.jobs[2].kind, JobKind::retrain);
  EXPECT_EQ(world.jobs.jobs[2].due_at, at("2026-11-20T02:00:00Z"));
  EXPECT_EQ(world.jobs.jobs[2].state, JobState::done);
  EXPECT_TRUE(world.rig.counts("sensus_analysis_jobs_caught_up_total 1"));

  world.start();
  co_await world.model_jobs->run();
  EXPECT_EQ(world.jobs.jobs.size(), 3U) << "not again after a restart";
}

CORO_TEST(ModelJobs, TrainMeasuresOnStoredSamplesAndKeepsTheVersion) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  World world(executor);
  world.rig.samples.series = {{.id = 7, .metric_name = "m", .labels = {}, .first_seen = {}, .last_seen = at("2026-11-20T09:59:00Z")},
                              {.id = 8, .metric_name = "gone", .labels = {}, .first_seen = {}, .last_seen = at("2026-11-01T00:00:00Z")}};
  for (std::size_t i = 0; i < 300; ++i) {
    world.rig.samples.samples[7].push_back({at("2026-11-20T04:00:00Z") + std::chrono::minutes(i), test::healthy(i, 7)});
  }
  world.add(JobKind::train, R"({"profile":"compact","warmup":100,"activate":false})");
  co_await world.model_jobs->run();
  EXPECT_EQ(world.jobs.jobs[0].state, JobState::done) << world.jobs.jobs[0].error;
  CO_ASSERT_EQ(world.rig.models.versions.size(), 2U);
  const model::ModelVersion& version = world.rig.models.versions[1];
  EXPECT_FALSE(version.is_active);
  EXPECT_EQ(version.profile, "compact");
  EXPECT_EQ(version.training_to, at("2026-11-20T10:00:00Z"));
  const auto quality = nlohmann::json::parse(version.quality_json);
  EXPECT_EQ(quality["series"], 1) << "the one that is still there";
  EXPECT_EQ(quality["points"], 200);
  const auto result = nlohmann::json::parse(world.jobs.jobs[0].result_json);
  EXPECT_EQ(result["version_id"], 2);
  EXPECT_EQ(result["quality"], quality);
}

CORO_TEST(ModelJobs, TrainPutsTheVersionInUseWhenAsked) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  World world(executor);
  world.add(JobKind::train, R"({"profile":"thorough","activate":true})");
  co_await world.model_jobs->run();
  CO_ASSERT_EQ(world.rig.models.versions.size(), 2U);
  EXPECT_TRUE(world.rig.models.versions[1].is_active);
  EXPECT_TRUE(world.rig.models.versions[1].is_pinned);
  EXPECT_FALSE(world.rig.models.versions[0].is_active);
}

CORO_TEST(ModelJobs, RetrainRecordsAVersionOfTheSameParametersAndKeepsThePin) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  World world(executor);
  world.rig.models.versions[0] = make_version(detector_params({.profile = "compact"}), at("2026-11-20T01:00:00Z"));
  world.rig.models.versions[0].is_pinned = true;
  world.add(JobKind::retrain);
  co_await world.model_jobs->run();
  EXPECT_EQ(world.jobs.jobs[0].state, JobState::done) << world.jobs.jobs[0].error;
  CO_ASSERT_EQ(world.rig.models.versions.size(), 2U);
  EXPECT_EQ(world.rig.models.versions[1].profile, "compact");
  EXPECT_TRUE(world.rig.models.versions[1].is_active);
  EXPECT_TRUE(world.rig.models.versions[1].is_pinned);
  EXPECT_TRUE(world.rig.counts("sensus_analysis_jobs_total{kind=\"retrain\",outcome=\"done\"} 1"));
}

CORO_TEST(ModelJobs, EvaluateGivesTheActiveVersionItsFigures) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  World world(executor);
  world.add(JobKind::evaluate);
  co_await world.model_jobs->run();
  EXPECT_EQ(world.jobs.jobs[0].state, JobState::done) << world.jobs.jobs[0].error;
  EXPECT_EQ(world.rig.models.versions.size(), 1U);
  EXPECT_NE(world.rig.models.versions[0].quality_json, "");
  EXPECT_EQ(world.rig.models.versions[0].training_to, at("2026-11-20T10:00:00Z"));
}

CORO_TEST(ModelJobs, AFailureIsToldAndTheNextJobRuns) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  World world(executor);
  world.add(JobKind::train, "not json");
  world.add(JobKind::evaluate);
  co_await world.model_jobs->run();
  EXPECT_EQ(world.jobs.jobs[0].state, JobState::failed);
  EXPECT_NE(world.jobs.jobs[0].error, "");
  EXPECT_EQ(world.jobs.jobs[1].state, JobState::done);
  EXPECT_TRUE(world.rig.counts("sensus_analysis_jobs_total{kind=\"train\",outcome=\"failed\"} 1"));
}

CORO_TEST(ModelJobs, AZoneOrTimeThatIsNoneNamesItsKey) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  World world(executor);
  ModelOptions zone;
  zone.time_zone = "Europe/Atlantis";
  ModelOptions time;
  time.retrain_at = "2 o'clock";
  for (const auto& [options, key] : {std::pair{zone, "models.time_zone"}, std::pair{time, "models.retrain_at"}}) {
    const auto made = ModelJobs::make({world.jobs, world.rig.models, world.rig.samples, world.rig.states, *world.rig.worker, world.rig.cpu,
                                       world.rig.clock, {}, world.rig.metrics, "me", {}},
                                      options);
    EXPECT_FALSE(made.has_value());
    EXPECT_EQ(made.error().field, key);
  }
}

}  // namespace
}  // namespace sensus::analysis
