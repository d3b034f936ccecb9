#include "sensus/model/alert.hpp"

#include <gtest/gtest.h>

#include <random>

namespace sensus::model {
namespace {

struct Arrival {
  AlertStatus status;
  std::int64_t start;
  std::int64_t end;  ///< Unused when firing.
};

Timestamp at(std::int64_t us) { return from_unix_us(us); }

/// The table of episodes of one label set, newest start first, as storage keeps it. All arrive at one instant, so that the
/// hold-down never reopens.
std::vector<EpisodeState> apply(const std::vector<Arrival>& arrivals) {
  std::vector<EpisodeState> known;
  for (const Arrival& a : arrivals) {
    const bool done = a.status == AlertStatus::resolved;
    const auto d = merge_arrival(known, a.status, at(a.start), done ? std::optional(at(a.end)) : std::nullopt, at(0));
    if (d.action == MergeAction::create) {
      known.push_back(d.next);
    } else {
      known[d.episode] = d.next;
    }
    std::sort(known.begin(), known.end(), [](const auto& x, const auto& y) { return x.starts_at > y.starts_at; });
  }
  return known;
}

std::string show(const std::vector<EpisodeState>& episodes) {
  std::string out;
  for (const EpisodeState& e : episodes) {
    out += "[" + std::to_string(to_unix_us(e.starts_at)) + "," +
           (e.ends_at ? std::to_string(to_unix_us(*e.ends_at)) : std::string("firing")) + "]";
  }
  return out;
}

std::string show(const std::vector<Arrival>& arrivals) {
  std::string out;
  for (const Arrival& a : arrivals) {
    out += a.status == AlertStatus::firing ? " F" + std::to_string(a.start)
                                           : " R" + std::to_string(a.start) + "-" + std::to_string(a.end);
  }
  return out;
}

class Random {
 public:
  std::int64_t between(std::int64_t low, std::int64_t high) { return std::uniform_int_distribution<std::int64_t>(low, high)(rng_); }
  template <class T>
  void shuffle(std::vector<T>& values) {
    std::shuffle(values.begin(), values.end(), rng_);
  }

 private:
  std::mt19937 rng_{20260601};
};

/// What senders may say of one true episode [start, end]: any number of starts before `middle`, ends after it.
std::vector<Arrival> tell_episode(Random& random, std::int64_t start, std::int64_t middle, std::int64_t end) {
  std::vector<Arrival> out{{AlertStatus::firing, start, 0}, {AlertStatus::resolved, random.between(start, middle - 1), end}};
  for (std::int64_t i = random.between(0, 4); i > 0; --i) {
    const bool done = random.between(0, 1) == 1;
    out.push_back({done ? AlertStatus::resolved : AlertStatus::firing, random.between(start, middle - 1), random.between(middle, end)});
  }
  return out;
}

TEST(MergeProperty, ArrivalsOfOneEpisodeConvergeInAnyOrder) {
  Random random;
  for (int round = 0; round < 2000; ++round) {
    auto arrivals = tell_episode(random, 100, 150, 200);
    random.shuffle(arrivals);
    EXPECT_EQ(show(apply(arrivals)), "[100,200]") << show(arrivals);
  }
}

TEST(MergeProperty, AnEpisodeStillFiringConvergesInAnyOrder) {
  Random random;
  for (int round = 0; round < 500; ++round) {
    std::vector<Arrival> arrivals{{AlertStatus::firing, 100, 0}};
    for (std::int64_t i = random.between(0, 5); i > 0; --i) {
      arrivals.push_back({AlertStatus::firing, random.between(100, 200), 0});
    }
    random.shuffle(arrivals);
    EXPECT_EQ(show(apply(arrivals)), "[100,firing]") << show(arrivals);
  }
}

TEST(MergeProperty, LateArrivalsOfAClosedEpisodeNeverTouchTheNext) {
  Random random;
  for (int round = 0; round < 2000; ++round) {
    // The first episode's resolve is known before the second begins; all else comes in any order.
    auto rest = tell_episode(random, 100, 150, 200);
    const Arrival resolve = rest[1];
    rest.erase(rest.begin() + 1);
    const auto second = tell_episode(random, 300, 350, 400);
    rest.insert(rest.end(), second.begin(), second.end());
    random.shuffle(rest);
    rest.insert(rest.begin(), resolve);
    EXPECT_EQ(show(apply(rest)), "[300,400][100,200]") << show(rest);
  }
}

TEST(MergeProperty, EpisodesAreDisjointWhateverArrives) {
  Random random;
  for (int round = 0; round < 3000; ++round) {
    std::vector<Arrival> arrivals;
    for (std::int64_t i = random.between(1, 12); i > 0; --i) {
      const std::int64_t start = random.between(0, 30);
      arrivals.push_back({random.between(0, 1) == 1 ? AlertStatus::resolved : AlertStatus::firing, start, start + random.between(0, 10)});
    }
    const auto episodes = apply(arrivals);
    for (std::size_t i = 0; i + 1 < episodes.size(); ++i) {
      ASSERT_EQ(episodes[i + 1].status, AlertStatus::resolved) << show(arrivals) << " -> " << show(episodes);
      ASSERT_LE(*episodes[i + 1].ends_at, episodes[i].starts_at) << show(arrivals) << " -> " << show(episodes);
      ASSERT_LT(episodes[i + 1].starts_at, episodes[i].starts_at) << show(arrivals) << " -> " << show(episodes);
    }
  }
}

TEST(MergeProperty, RepeatingEverythingChangesNothing) {
  Random random;
  for (int round = 0; round < 1000; ++round) {
    auto arrivals = tell_episode(random, 100, 150, 200);
    random.shuffle(arrivals);
    auto twice = arrivals;
    twice.insert(twice.end(), arrivals.begin(), arrivals.end());
    EXPECT_EQ(show(apply(twice)), show(apply(arrivals))) << show(arrivals);
  }
}

}  // namespace
}  // namespace sensus::model
