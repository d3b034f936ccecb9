#include "storage/alert_plan_internal.hpp"

#include <algorithm>

namespace sensus::storage {
namespace {

model::EpisodeState state_of(const PlannedEpisode& episode) {
  return {episode.row.status, episode.row.starts_at, episode.row.ends_at,
          episode.resolved_received_at};
}

void set_state(PlannedEpisode& episode, const model::EpisodeState& state) {
  episode.row.status = state.status;
  episode.row.starts_at = state.starts_at;
  episode.row.ends_at = state.ends_at;
  episode.resolved_received_at = state.resolved_received_at;
}

/// What the newest arrival says about an episode, besides its state.
void take_content(PlannedEpisode& episode, const model::AlertArrival& arrival,
                  const std::string& receiver, Timestamp received_at) {
  const std::string_view description = arrival.annotations.get("description");
  episode.row.annotations = arrival.annotations;
  episode.row.description = description.empty() ? arrival.annotations.get("summary") : description;
  if (!arrival.generator_url.empty()) {
    episode.row.generator_url = arrival.generator_url;
  }
  if (!receiver.empty()) {
    episode.receiver = receiver;
  }
  episode.row.labels = arrival.labels;
  episode.row.alert_name = arrival.labels.get("alertname");
  episode.row.severity = arrival.labels.get("severity");
  if (episode.row.fingerprint.empty()) {
    episode.row.fingerprint =
        arrival.fingerprint.empty() ? model::fingerprint_of(arrival.labels) : arrival.fingerprint;
  }
  episode.row.last_received_at = std::max(episode.row.last_received_at, received_at);
  episode.changed = true;
}

}  // namespace

AlertPlan::AlertPlan(const model::AlertBatch& batch, Timestamp received_at)
    : batch_(batch), received_at_(received_at) {
  arrival_hashes_.reserve(batch.arrivals.size());
  for (const model::AlertArrival& arrival : batch.arrivals) {
    arrival_hashes_.push_back(model::hash_labels(arrival.labels));
  }
  hashes_ = arrival_hashes_;
  std::ranges::sort(hashes_);
  const auto repeated = std::ranges::unique(hashes_);
  hashes_.erase(repeated.begin(), repeated.end());
}

void AlertPlan::add_known(PlannedEpisode episode) {
  by_hash_[episode.hash].push_back(episodes_.size());
  episodes_.push_back(std::move(episode));
}

void AlertPlan::merge() {
  for (std::size_t i = 0; i < batch_.arrivals.size(); ++i) {
    merge_one(i);
  }
}

std::size_t AlertPlan::create(std::size_t arrival) {
  PlannedEpisode fresh;
  fresh.hash = arrival_hashes_[arrival];
  fresh.row.created_at = received_at_;
  fresh.row.last_received_at = received_at_;
  fresh.row.receive_count = 0;
  episodes_.push_back(std::move(fresh));
  return episodes_.size() - 1;
}

void AlertPlan::merge_one(std::size_t index) {
  const model::AlertArrival& arrival = batch_.arrivals[index];
  auto& order = by_hash_[arrival_hashes_[index]];
  std::ranges::sort(order, std::ranges::greater{},
                    [this](std::size_t i) { return episodes_[i].row.starts_at; });
  std::vector<model::EpisodeState> known;
  known.reserve(order.size());
  for (const std::size_t i : order) {
    known.push_back(state_of(episodes_[i]));
  }
  const auto decision =
      model::merge_arrival(known, arrival.status, arrival.starts_at, arrival.ends_at, received_at_);
  const bool creates = decision.action == model::MergeAction::create;
  const std::size_t at = creates ? create(index) : order[decision.episode];
  if (creates) {
    order.push_back(at);
  }
  PlannedEpisode& episode = episodes_[at];
  set_state(episode, decision.next);
  take_content(episode, arrival, batch_.receiver, received_at_);
  ++episode.received;
  ++episode.row.receive_count;
  decisions_.push_back({at, decision.action});
  if (decision.action != model::MergeAction::refresh) {
    changes_.push_back({at, decision.action, episode.row});
  }
}

}  // namespace sensus::storage
