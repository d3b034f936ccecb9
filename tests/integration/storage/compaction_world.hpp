#pragma once

#include "integration/storage/store_fixture.hpp"

#include "sensus/core/clock.hpp"
#include "sensus/storage/compaction.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace sensus::test {

inline constexpr int kSeries = 70;  // More than there are buckets.
inline const Timestamp kFirstDay = at("2026-11-10T00:00:00Z");

/// Random samples, written and remembered: the answers of every read are known.
class World {
 public:
  explicit World(runtime::Executor executor)
      : s(executor),
        clock(kFirstDay + std::chrono::hours(72)),
        writer(storage::make_sample_writer(s.options, telemetry::Log(), s.metrics)),
        store(storage::make_sample_store(s.database)),
        compactor({executor, s.options, clock, telemetry::Log(), s.metrics}, {}, {}) {
    (void)s.db.admin("select sensus.make_partitions('2026-11-09', '2026-11-14')");
    for (int i = 0; i < kSeries; ++i) {
      keys.push_back(series_key("cpu", std::to_string(i)));
    }
  }

  /// Over three days, on a grid, so that many meet a time that has a sample; some stand off the grid.
  Result<> write_some(int samples) {
    storage::SampleFlush flush;
    flush.new_series = keys;
    for (int i = 0; i < samples; ++i) {
      const int series = static_cast<int>(random() % kSeries);
      Timestamp time = kFirstDay + std::chrono::seconds(random() % 800) * 300;
      if (random() % 8 == 0) {
        time += std::chrono::microseconds(random() % 1'000'000);
      }
      const double value = next_value();
      flush.rows.push_back({-(series + 1), time, value});
      model[{series, time}] = value;
    }
    const auto written = writer->write_blocking(soon(), flush);
    if (!written) {
      return written.error();
    }
    ids = written->new_series;
    return {};
  }

  /// Small ones, or with `odd` what else a float8 can hold.
  [[nodiscard]] double next_value() {
    static constexpr double kInfinite = std::numeric_limits<double>::infinity();
    static constexpr std::array kOdd{std::numeric_limits<double>::quiet_NaN(), kInfinite, -kInfinite, 1e308, -1e308,
                                     1.7e308, -1.7e308, 5e-324, -0.0};
    if (odd && random() % 3 == 0) {
      return kOdd.at(random() % kOdd.size());
    }
    return static_cast<double>(random() % 1000) / 8;
  }

  [[nodiscard]] int series_of(SeriesId id) const {
    return static_cast<int>(std::ranges::find(ids, id) - ids.begin());
  }

  Store s;
  ManualClock clock;
  std::unique_ptr<storage::SampleWriter> writer;
  std::unique_ptr<storage::SampleStore> store;
  storage::Compactor compactor;
  std::mt19937 random{11};
  std::vector<std::string> keys;
  std::vector<SeriesId> ids;
  std::map<std::pair<int, Timestamp>, double> model;
  bool odd = false;  ///< Values that are no numbers, infinite, or near the ends of the type.
  std::size_t rounds = 0;  ///< Of check_ranges: each takes another sixth of all combinations.
};

}  // namespace sensus::test
