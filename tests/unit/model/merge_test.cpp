#include "sensus/model/alert.hpp"

#include <gtest/gtest.h>

namespace sensus::model {
namespace {

Timestamp at(int second) { return from_unix_us(1'700'000'000'000'000 + std::int64_t{second} * 1'000'000); }

EpisodeState firing(int start) { return {AlertStatus::firing, at(start), std::nullopt, {}}; }
EpisodeState resolved(int start, int end, int received) { return {AlertStatus::resolved, at(start), at(end), at(received)}; }

MergeDecision fire(const std::vector<EpisodeState>& known, int start, int received) {
  return merge_arrival(known, AlertStatus::firing, at(start), std::nullopt, at(received));
}
MergeDecision resolve(const std::vector<EpisodeState>& known, int start, int end, int received) {
  return merge_arrival(known, AlertStatus::resolved, at(start), at(end), at(received));
}

TEST(MergeArrival, TheFirstFiringCreates) {
  const auto d = fire({}, 10, 11);
  EXPECT_EQ(d.action, MergeAction::create);
  EXPECT_EQ(d.next.status, AlertStatus::firing);
  EXPECT_EQ(d.next.starts_at, at(10));
  EXPECT_FALSE(d.next.ends_at.has_value());
}

TEST(MergeArrival, AResolveWithoutItsFiringCreatesAClosedEpisode) {
  const auto d = resolve({}, 10, 20, 21);
  EXPECT_EQ(d.action, MergeAction::create);
  EXPECT_EQ(d.next.status, AlertStatus::resolved);
  EXPECT_EQ(d.next.ends_at, at(20));
  EXPECT_EQ(d.next.resolved_received_at, at(21));
}

TEST(MergeArrival, ARepeatRefreshes) {
  const auto d = fire({firing(10)}, 10, 5000);
  EXPECT_EQ(d.action, MergeAction::refresh);
  EXPECT_EQ(d.next.status, AlertStatus::firing);
  EXPECT_EQ(d.next.starts_at, at(10));
}

TEST(MergeArrival, TheEarliestStartIsKept) {
  EXPECT_EQ(fire({firing(10)}, 8, 11).next.starts_at, at(8));
  EXPECT_EQ(fire({firing(10)}, 12, 13).next.starts_at, at(10));
  EXPECT_EQ(resolve({firing(10)}, 7, 20, 21).next.starts_at, at(7));
}

TEST(MergeArrival, AResolveCloses) {
  const auto d = resolve({firing(10)}, 10, 20, 21);
  EXPECT_EQ(d.action, MergeAction::resolve);
  EXPECT_EQ(d.next.status, AlertStatus::resolved);
  EXPECT_EQ(d.next.ends_at, at(20));
  EXPECT_EQ(d.next.resolved_received_at, at(21));
}

TEST(MergeArrival, TheLatestResolveTimeWins) {
  const auto later = resolve({resolved(10, 20, 21)}, 10, 25, 26);
  EXPECT_EQ(later.action, MergeAction::refresh);
  EXPECT_EQ(later.next.ends_at, at(25));
  const auto earlier = resolve({resolved(10, 20, 21)}, 10, 15, 26);
  EXPECT_EQ(earlier.action, MergeAction::refresh);
  EXPECT_EQ(earlier.next.ends_at, at(20));
  EXPECT_EQ(earlier.next.resolved_received_at, at(21)) << "a repeat must not prolong the hold-down";
}

TEST(MergeArrival, AStartAfterTheLastResolveIsANewEpisode) {
  EXPECT_EQ(fire({resolved(10, 20, 21)}, 25, 26).action, MergeAction::create);
  EXPECT_EQ(fire({resolved(10, 20, 21)}, 20, 26).action, MergeAction::create);
}

TEST(MergeArrival, TheSameStartWithinTheHoldDownIsIgnored) {
  const auto d = fire({resolved(10, 20, 21)}, 10, 21 + 30);
  EXPECT_EQ(d.action, MergeAction::refresh);
  EXPECT_EQ(d.next.status, AlertStatus::resolved);
  EXPECT_EQ(d.next.ends_at, at(20));
}

TEST(MergeArrival, TheSameStartAfterTheHoldDownReopens) {
  const auto d = fire({resolved(10, 20, 21)}, 10, 21 + 31);
  EXPECT_EQ(d.action, MergeAction::reopen);
  EXPECT_EQ(d.episode, 0U);
  EXPECT_EQ(d.next.status, AlertStatus::firing);
  EXPECT_FALSE(d.next.ends_at.has_value());
  EXPECT_EQ(d.next.starts_at, at(10));
}

TEST(MergeArrival, OnlyTheNewestEpisodeReopens) {
  const auto d = fire({firing(30), resolved(10, 20, 21)}, 10, 1000);
  EXPECT_EQ(d.action, MergeAction::refresh);
  EXPECT_EQ(d.episode, 1U);
  EXPECT_EQ(d.next.status, AlertStatus::resolved);
}

TEST(MergeArrival, AnOlderResolveNeverClosesANewerEpisode) {
  const auto known = std::vector{firing(30), resolved(10, 20, 21)};
  const auto repeat = resolve(known, 10, 20, 100);
  EXPECT_EQ(repeat.action, MergeAction::refresh);
  EXPECT_EQ(repeat.episode, 1U);
  EXPECT_EQ(resolve({firing(30)}, 10, 20, 100).action, MergeAction::create);
  EXPECT_EQ(resolve({firing(30)}, 10, 30, 100).action, MergeAction::create) << "touching is not overlapping";
}

TEST(MergeArrival, EpisodesStayDisjoint) {
  // A longer end of an old episode is cut at the next start; an earlier start is not taken when it would run into the one before.
  EXPECT_EQ(resolve({firing(30), resolved(10, 20, 21)}, 10, 35, 40).next.ends_at, at(30));
  const auto d = resolve({firing(30), resolved(10, 20, 21)}, 15, 35, 40);
  EXPECT_EQ(d.episode, 0U);
  EXPECT_EQ(d.action, MergeAction::resolve);
  EXPECT_EQ(d.next.starts_at, at(30));
}

TEST(MergeArrival, ALateFiringBetweenTwoEpisodesJoinsTheLaterOne) {
  const auto d = fire({resolved(30, 40, 41), resolved(10, 20, 21)}, 25, 42);
  EXPECT_EQ(d.episode, 0U);
  EXPECT_EQ(d.action, MergeAction::refresh);
  EXPECT_EQ(d.next.starts_at, at(25));
}

TEST(MergeArrival, AnAlertThatEndsAsItStarts) {
  EXPECT_EQ(resolve({firing(10)}, 10, 10, 11).action, MergeAction::resolve);
  EXPECT_EQ(fire({resolved(10, 10, 11)}, 10, 12).action, MergeAction::refresh);
}

}  // namespace
}  // namespace sensus::model
