#include "sensus/core/assert.hpp"
#include "sensus/model/alert.hpp"

#include <algorithm>

namespace sensus::model {
namespace {

/// A half-open stretch of time; an end of Timestamp::max() is open.
struct Stretch {
  Timestamp begin;
  Timestamp end;
};

Stretch stretch_of(const EpisodeState& episode) {
  return {episode.starts_at, episode.status == AlertStatus::firing ? Timestamp::max() : episode.ends_at.value_or(episode.starts_at)};
}

// Touching is not overlapping, so that a resolve at 12:00 never closes what started at 12:00; the same start always is.
bool overlap(const Stretch& a, const Stretch& b) { return a.begin == b.begin || (a.begin < b.end && b.begin < a.end); }

/// The episode an arrival belongs to: the one with its very start, else, for a firing alert, the first that ends after its start
/// (it was going on, or begins after it), and for a resolved one the newest it overlaps, because the latest resolve time wins.
std::optional<std::size_t> find_episode(const std::vector<EpisodeState>& known, AlertStatus status, const Stretch& arrival) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if (known[i].starts_at == arrival.begin) {
      return i;
    }
    const bool better = !found || status == AlertStatus::firing;
    if (better && overlap(stretch_of(known[i]), arrival)) {
      found = i;
    }
  }
  return found;
}

/// The earliest start, unless that would run into the episode before.
Timestamp merged_start(const std::vector<EpisodeState>& known, std::size_t index, Timestamp start) {
  const Timestamp earliest = std::min(known[index].starts_at, start);
  const bool collides = index + 1 < known.size() && stretch_of(known[index + 1]).end > earliest;
  return collides ? known[index].starts_at : earliest;
}

/// The latest end, but not past the start of the episode after.
Timestamp merged_end(const std::vector<EpisodeState>& known, std::size_t index, Timestamp end) {
  return index > 0 ? std::min(end, known[index - 1].starts_at) : end;
}

MergeDecision create(AlertStatus status, const Stretch& arrival, Timestamp received_at) {
  MergeDecision out;
  out.next.status = status;
  out.next.starts_at = arrival.begin;
  if (status == AlertStatus::resolved) {
    out.next.ends_at = arrival.end;
    out.next.resolved_received_at = received_at;
  }
  return out;
}

void merge_firing(MergeDecision& out, const EpisodeState& old, Timestamp received_at) {
  const bool held_down = received_at - old.resolved_received_at <= kReopenHoldDown;
  // A late repeat of an older episode must not open it again beside its successor.
  if (old.status == AlertStatus::firing || held_down || out.episode != 0) {
    return;
  }
  out.action = MergeAction::reopen;
  out.next.status = AlertStatus::firing;
  out.next.ends_at.reset();
  out.next.resolved_received_at = {};
}

void merge_resolved(MergeDecision& out, const EpisodeState& old, Timestamp end, Timestamp received_at) {
  if (old.status == AlertStatus::firing) {
    out.action = MergeAction::resolve;
  } else if (end <= old.ends_at.value_or(old.starts_at)) {
    return;
  }
  out.next.status = AlertStatus::resolved;
  out.next.ends_at = std::max(end, out.next.starts_at);
  out.next.resolved_received_at = received_at;
}

}  // namespace

MergeDecision merge_arrival(const std::vector<EpisodeState>& known, AlertStatus status, Timestamp starts_at,
                            std::optional<Timestamp> ends_at, Timestamp received_at) {
  SENSUS_ASSERT((status == AlertStatus::resolved) == ends_at.has_value());
  const Stretch arrival{starts_at, ends_at.value_or(Timestamp::max())};
  SENSUS_ASSERT(arrival.begin <= arrival.end);
  const auto index = find_episode(known, status, arrival);
  if (!index) {
    return create(status, arrival, received_at);
  }
  const EpisodeState& old = known[*index];
  MergeDecision out{MergeAction::refresh, old, *index};
  out.next.starts_at = merged_start(known, *index, starts_at);
  if (status == AlertStatus::firing) {
    merge_firing(out, old, received_at);
  } else {
    merge_resolved(out, old, merged_end(known, *index, *ends_at), received_at);
  }
  return out;
}

}  // namespace sensus::model
