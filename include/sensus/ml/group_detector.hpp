#pragma once

#include "sensus/core/time.hpp"
#include "sensus/ml/verdict.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace sensus::ml {

struct GroupParams {
  std::uint64_t seed = 1;
  std::size_t warmup = 120;  ///< Rows before the first verdict; at least 60.
};

/// An Isolation Forest over rows of several series of one thing (the metrics of a service), which finds what no single series shows: values
/// that are ordinary each, but not together. Values are taken relative to their own slow level and spread; what the common movement (the
/// first principal component, learned as rows come) does not explain of each is what the forest sees, beside that movement itself.
/// Pure, seeded. **Threading**: one at a time. **Limits**: 2 to 64 columns; some 40 bytes a column and row kept (512).
class GroupDetector {
 public:
  /// Columns are named for the reasons of verdicts; `columns` of 2 to 64 (more are left out).
  GroupDetector(std::vector<std::string> columns, const GroupParams& params);
  ~GroupDetector();
  GroupDetector(GroupDetector&&) noexcept;
  GroupDetector& operator=(GroupDetector&&) noexcept;

  /// A row in the order of the columns; NaN where a series has no value, which then counts as expected. Rows not later than the last are
  /// ignored. `features` and `contributions` name the columns that do not fit the others, the worst first; only of an anomaly.
  Verdict update(Timestamp time, std::span<const double> row);
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The share of a service's series that were anomalous lately, to be watched as a series of its own.
class AnomalousShare {
 public:
  explicit AnomalousShare(std::chrono::seconds window) : window_(window) {}
  void note(std::uint64_t series, Timestamp time);
  /// Of `series_count` series, those with an anomaly in the window before `now`; 0 of none. Forgets older ones.
  [[nodiscard]] double share(Timestamp now, std::size_t series_count);

 private:
  std::chrono::seconds window_;
  std::unordered_map<std::uint64_t, Timestamp> last_;
};

}  // namespace sensus::ml
