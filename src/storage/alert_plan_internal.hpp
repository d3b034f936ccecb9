#pragma once

#include "sensus/codec/model_json.hpp"
#include "sensus/model/alert.hpp"
#include "sensus/storage/alerts.hpp"

#include <cstddef>
#include <map>
#include <vector>

namespace sensus::storage {

/// An episode while a batch is being merged: as stored, or new (id 0).
struct PlannedEpisode {
  model::LabelsHash hash;
  model::Episode row;
  Timestamp resolved_received_at;
  std::string receiver;
  bool changed = false;       ///< Differs from what is stored.
  std::int64_t received = 0;  ///< Arrivals of this batch that went into it.
};

/// A transition, with the episode as it was right after it.
struct PlannedChange {
  std::size_t episode = 0;  ///< Index into AlertPlan::episodes.
  model::MergeAction action = model::MergeAction::create;
  model::Episode snapshot;
};

/// What a batch does to the episodes of its label sets. Pure: rows in, rows out.
class AlertPlan {
 public:
  AlertPlan(const model::AlertBatch& batch, Timestamp received_at);

  /// The label sets of the batch, sorted, each once: what must be locked and loaded.
  [[nodiscard]] const std::vector<model::LabelsHash>& hashes() const { return hashes_; }
  void add_known(PlannedEpisode episode);
  /// Merges the arrivals in order. Call once, after every known episode was added.
  void merge();

  [[nodiscard]] std::vector<PlannedEpisode>& episodes() { return episodes_; }
  [[nodiscard]] std::vector<PlannedChange>& changes() { return changes_; }
  struct Decision {
    std::size_t episode = 0;
    model::MergeAction action = model::MergeAction::create;
  };
  /// One an arrival, in order.
  [[nodiscard]] std::vector<Decision>& decisions() { return decisions_; }

 private:
  void merge_one(std::size_t arrival);
  [[nodiscard]] std::size_t create(std::size_t arrival);

  const model::AlertBatch& batch_;
  Timestamp received_at_;
  std::vector<model::LabelsHash> arrival_hashes_;
  std::vector<model::LabelsHash> hashes_;
  std::vector<PlannedEpisode> episodes_;
  std::map<model::LabelsHash, std::vector<std::size_t>>
      by_hash_;  ///< Indexes of episodes, newest start first.
  std::vector<PlannedChange> changes_;
  std::vector<Decision> decisions_;
};

}  // namespace sensus::storage
