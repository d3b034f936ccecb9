#include "sensus/analysis/ownership.hpp"

#include "support/coro_test.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

namespace sensus::analysis {
namespace {

using namespace std::chrono_literals;
using storage::Lease;
using Calls = std::vector<std::string>;

constexpr std::chrono::milliseconds kLength{12};

/// Answers of PostgreSQL, one a look; after the last one `on_end`.
class FakeLeaseStore final : public storage::LeaseStore {
 public:
  struct Answer {
    Result<Lease> lease;
    std::chrono::microseconds after{0};  ///< How long it takes.
  };
  FakeLeaseStore(ManualClock& clock, Calls& calls) : clock_(clock), calls_(calls) {}

  runtime::Async<Lease> take(Deadline, std::string, std::string, std::chrono::milliseconds) override {
    Answer answer = std::move(answers.front());
    answers.pop_front();
    clock_.advance(answer.after);
    if (answers.empty()) {
      on_end();
    }
    co_return std::move(answer.lease);
  }
  runtime::Async<> give_up(Deadline, std::string, std::string) override {
    calls_.emplace_back("give up");
    co_return give_up_result;
  }
  std::deque<Answer> answers;
  Result<> give_up_result;
  std::function<void()> on_end;

 private:
  ManualClock& clock_;
  Calls& calls_;
};

struct World {
  World() : leases(clock, calls), ownership({leases, clock, {}, metrics, "me", kLength, forget(), begin(), hand_over()}) {
    leases.on_end = [this] {
      held_at_the_end = ownership.holds();
      ownership.resign();
    };
  }
  static runtime::Async<> note(Calls* calls, std::string call, Result<>* result) {
    calls->push_back(std::move(call));
    co_return *result;
  }
  std::function<runtime::Async<>(Deadline)> forget() {
    return [this](Deadline) { return note(&calls, "forget", &forgotten); };
  }
  std::function<void()> begin() {
    return [this] { calls.emplace_back("begin"); };
  }
  std::function<runtime::Async<>(Deadline)> hand_over() {
    return [this](Deadline) { return note(&calls, "hand over", &handed_over); };
  }
  void answer(Result<Lease> lease, std::chrono::microseconds after = {}) { leases.answers.push_back({std::move(lease), after}); }
  [[nodiscard]] bool counts(const std::string& line) const { return metrics.render().find(line + "\n") != std::string::npos; }

  ManualClock clock{Timestamp{}};
  telemetry::Metrics metrics;
  Calls calls;
  Result<> forgotten;
  Result<> handed_over;
  FakeLeaseStore leases;
  Ownership ownership;
  bool held_at_the_end = false;
};

Lease ours(std::int64_t term) { return {true, term, "me"}; }
Lease theirs(std::int64_t term) { return {false, term, "other"}; }
Error away() { return make_error(Errc::unavailable, "PostgreSQL is away"); }

CORO_TEST(Ownership, TheOwnerBeginsAndHandsOverBeforeItGivesTheLeaseUp) {
  World world;
  world.answer(ours(1));
  world.answer(ours(1));
  co_await world.ownership.run();
  EXPECT_EQ(world.calls, (Calls{"forget", "begin", "hand over", "give up"}));
  EXPECT_TRUE(world.held_at_the_end);
  EXPECT_FALSE(world.ownership.holds());
  EXPECT_TRUE(world.counts("sensus_analysis_owner 0"));
  EXPECT_TRUE(world.counts("sensus_analysis_takeovers_total 1"));
  EXPECT_TRUE(world.counts("sensus_analysis_ownership_losses_total 0"));
}

CORO_TEST(Ownership, AStandbyDoesNothingUntilTheLeaseIsFree) {
  World world;
  world.answer(theirs(4));
  world.answer(theirs(4));
  co_await world.ownership.run();
  EXPECT_TRUE(world.calls.empty());
  EXPECT_EQ(world.ownership.health().state, telemetry::HealthState::ok);
  EXPECT_TRUE(world.counts("sensus_analysis_takeovers_total 0"));
}

CORO_TEST(Ownership, WhoIsFirstToFindItFreeTakesOver) {
  World world;
  world.answer(theirs(4));
  world.answer(ours(5));
  world.answer(ours(5));
  co_await world.ownership.run();
  EXPECT_EQ(world.calls, (Calls{"forget", "begin", "hand over", "give up"}));
}

CORO_TEST(Ownership, AnOwnerThatCannotRenewStopsAndGoesOnInTheSameTerm) {
  World world;
  world.answer(ours(1));
  world.answer(away(), kLength);  // Longer than its lease lasts.
  world.answer(ours(1));
  world.answer(ours(1));
  co_await world.ownership.run();
  // What is in memory is as good as before: nobody else had the series.
  EXPECT_EQ(world.calls, (Calls{"forget", "begin", "begin", "hand over", "give up"}));
  EXPECT_TRUE(world.counts("sensus_analysis_ownership_losses_total 1"));
  EXPECT_TRUE(world.counts("sensus_analysis_lease_failures_total 1"));
  EXPECT_TRUE(world.counts("sensus_analysis_takeovers_total 1"));
}

CORO_TEST(Ownership, ShortOfTheEndOfItsLeaseAnOwnerGoesOn) {
  World world;
  world.answer(ours(1));
  world.answer(away(), kLength / 3);
  world.answer(away(), kLength / 3);
  co_await world.ownership.run();
  EXPECT_TRUE(world.held_at_the_end);
  EXPECT_TRUE(world.counts("sensus_analysis_ownership_losses_total 0"));
}

CORO_TEST(Ownership, ItsLeaseEndsForAnOwnerBeforeItEndsForOthers) {
  World world;
  world.answer(ours(1));
  world.answer(away(), kLength - 1ms);
  co_await world.ownership.run();
  EXPECT_FALSE(world.held_at_the_end);
}

CORO_TEST(Ownership, WhatOthersHaveGoneOnWithIsForgotten) {
  World world;
  world.answer(ours(1));
  world.answer(theirs(2), kLength);
  world.answer(ours(3));
  world.answer(ours(3));
  co_await world.ownership.run();
  EXPECT_EQ(world.calls, (Calls{"forget", "begin", "forget", "forget", "begin", "hand over", "give up"}));
  EXPECT_TRUE(world.counts("sensus_analysis_takeovers_total 2"));
}

CORO_TEST(Ownership, NothingBeginsBeforeAllIsForgotten) {
  World world;
  world.forgotten = make_error(Errc::timeout, "busy");
  world.answer(ours(1));
  world.answer(ours(1));
  co_await world.ownership.run();
  EXPECT_EQ(world.calls, (Calls{"forget", "forget"}));
  EXPECT_FALSE(world.held_at_the_end);
}

CORO_TEST(Ownership, ALongAnswerIsNoLease) {
  World world;
  world.answer(ours(1), kLength);
  world.answer(theirs(2));
  co_await world.ownership.run();
  EXPECT_EQ(world.calls, (Calls{"forget", "forget"}));
}

CORO_TEST(Ownership, WhatCannotBeHandedOverIsGivenUpAllTheSame) {
  World world;
  world.handed_over = away();
  world.leases.give_up_result = away();
  world.answer(ours(1));
  world.answer(ours(1));
  co_await world.ownership.run();
  EXPECT_EQ(world.calls.back(), "give up");
  EXPECT_FALSE(world.ownership.holds());
}

CORO_TEST(Ownership, NotToKnowWhoAnalysesIsTrouble) {
  World world;
  world.answer(away(), 3 * kLength);
  co_await world.ownership.run();
  EXPECT_EQ(world.ownership.health().state, telemetry::HealthState::degraded);
}

}  // namespace
}  // namespace sensus::analysis
