#include "storage/alert_plan_internal.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace sensus::storage {
namespace {

using model::AlertStatus;
using model::MergeAction;

const Timestamp kNoon = parse_rfc3339("2026-11-20T12:00:00Z").value();

model::AlertArrival arrival(const std::string& name,
                            std::optional<Timestamp> ends_at = std::nullopt) {
  model::AlertArrival a;
  a.labels = {{"alertname", name}, {"severity", "critical"}};
  a.annotations = {{"summary", "short"}};
  a.starts_at = kNoon;
  a.status = ends_at ? AlertStatus::resolved : AlertStatus::firing;
  a.ends_at = ends_at;
  return a;
}

PlannedEpisode known(const std::string& name, EpisodeId id) {
  PlannedEpisode episode;
  episode.hash = model::hash_labels(arrival(name).labels);
  episode.row.id = id;
  episode.row.starts_at = kNoon;
  episode.row.receive_count = 4;
  episode.row.fingerprint = "given";
  episode.row.generator_url = "http://kept";
  episode.receiver = "kept";
  return episode;
}

TEST(AlertPlan, SortsItsLabelSetsOnce) {
  model::AlertBatch batch;
  for (const char* name : {"B", "A", "B", "C"}) {
    batch.arrivals.push_back(arrival(name));
  }
  const AlertPlan plan(batch, kNoon);
  EXPECT_EQ(plan.hashes().size(), 3U);
  EXPECT_TRUE(std::ranges::is_sorted(plan.hashes()));
}

TEST(AlertPlan, ANewLabelSetIsCreatedWithItsContent) {
  model::AlertBatch batch;
  batch.receiver = "team";
  batch.arrivals.push_back(arrival("Down"));
  AlertPlan plan(batch, kNoon + 1s);
  plan.merge();
  ASSERT_EQ(plan.episodes().size(), 1U);
  const PlannedEpisode& episode = plan.episodes()[0];
  EXPECT_EQ(episode.row.id, 0);
  EXPECT_EQ(episode.row.alert_name, "Down");
  EXPECT_EQ(episode.row.severity, "critical");
  EXPECT_EQ(episode.row.description, "short") << "the summary stands in for a missing description";
  EXPECT_EQ(episode.row.receive_count, 1);
  EXPECT_EQ(episode.receiver, "team");
  EXPECT_EQ(episode.row.created_at, kNoon + 1s);
  ASSERT_EQ(plan.changes().size(), 1U);
  EXPECT_EQ(plan.changes()[0].action, MergeAction::create);
}

TEST(AlertPlan, ARepeatKeepsWhatItDoesNotSay) {
  model::AlertBatch batch;
  batch.arrivals.push_back(arrival("Down"));
  AlertPlan plan(batch, kNoon + 60s);
  plan.add_known(known("Down", 9));
  plan.merge();
  ASSERT_EQ(plan.episodes().size(), 1U);
  const PlannedEpisode& episode = plan.episodes()[0];
  EXPECT_TRUE(episode.changed);
  EXPECT_EQ(episode.received, 1);
  EXPECT_EQ(episode.row.receive_count, 5);
  EXPECT_EQ(episode.row.generator_url, "http://kept");
  EXPECT_EQ(episode.row.fingerprint, "given");
  EXPECT_EQ(episode.receiver, "kept");
  EXPECT_TRUE(plan.changes().empty());
  EXPECT_EQ(plan.decisions()[0].action, MergeAction::refresh);
}

TEST(AlertPlan, FiringAndResolvedInOneBatchIsOneEpisodeWithTwoChanges) {
  model::AlertBatch batch;
  batch.arrivals.push_back(arrival("Down"));
  batch.arrivals.push_back(arrival("Down", kNoon + 5s));
  AlertPlan plan(batch, kNoon + 10s);
  plan.merge();
  ASSERT_EQ(plan.episodes().size(), 1U);
  EXPECT_EQ(plan.episodes()[0].row.status, AlertStatus::resolved);
  EXPECT_EQ(plan.episodes()[0].received, 2);
  ASSERT_EQ(plan.changes().size(), 2U);
  EXPECT_EQ(plan.changes()[0].snapshot.status, AlertStatus::firing) << "as it was then";
  EXPECT_EQ(plan.changes()[1].action, MergeAction::resolve);
  EXPECT_EQ(plan.changes()[1].snapshot.ends_at, kNoon + 5s);
}

TEST(AlertPlan, EpisodesOfOtherLabelSetsAreUntouched) {
  model::AlertBatch batch;
  batch.arrivals.push_back(arrival("Down"));
  AlertPlan plan(batch, kNoon + 60s);
  plan.add_known(known("Other", 3));
  plan.merge();
  EXPECT_FALSE(plan.episodes()[0].changed);
  EXPECT_EQ(plan.decisions()[0].episode, 1U);
}

}  // namespace
}  // namespace sensus::storage
