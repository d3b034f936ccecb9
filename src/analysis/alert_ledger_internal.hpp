#pragma once

#include "sensus/analysis/anomaly_alerts.hpp"
#include "sensus/model/labels.hpp"

#include "detector_cache_internal.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::analysis {

inline constexpr std::string_view kAnomalyAlertName = "SensusAnomaly";

/// An alert of it would make the next one: Sensus' own metrics, and the series of alerts.
[[nodiscard]] bool raises_no_alert(const model::SeriesName& series);
/// The labels of the series; `metric`, `kind`, `alertname` over them, and a severity where the series has none.
[[nodiscard]] model::Labels alert_labels(const model::SeriesName& series, const model::Anomaly& anomaly);
[[nodiscard]] model::Labels alert_annotations(const model::SeriesName& series, const model::Anomaly& anomaly);

/// Which series have an alert that fires, and what each step means for it. Pure.
class AlertLedger {
 public:
  struct Watch {
    bool firing = false;
    model::SeriesName series;
    model::Labels labels;
    model::Labels annotations;
    Timestamp starts_at{};
    Timestamp ends_at{};     ///< Of the last alert that ended.
    Timestamp seen{};        ///< The last step that was told.
    double band_low = 0;     ///< Ordinary when it began.
    double band_high = 0;
    Timestamp odd_at{};      ///< The last anomaly.
    Timestamp normal_from{};
    std::int64_t normal = 0; ///< Steps since the last one that was odd.
    Timestamp told_at{};     ///< When the alert path last heard of it.
    Timestamp heard_at{};    ///< When a step was last told.
  };
  /// What is to be sent, and what is true when that has been taken.
  struct Change {
    std::vector<model::AlertArrival> arrivals;
    std::map<SeriesKey, Watch> watches;
    std::size_t raised = 0;
    std::size_t resolved = 0;
    std::size_t over_limit = 0;
    std::size_t own = 0;
  };
  using Names = std::map<SeriesId, model::SeriesName>;

  explicit AlertLedger(std::int64_t resolve_steps) : resolve_steps_(resolve_steps) {}

  /// `names` has the series whose alert does not fire yet; without a name none is raised.
  [[nodiscard]] Change observe(TenantId tenant, std::vector<JudgedStep> steps, const Names& names, Timestamp now) const;
  /// Ends what nothing was heard of, or `all`.
  [[nodiscard]] Change sweep(Timestamp now, bool all) const;
  void apply(Change change);
  /// A stored alert, firing or ended not long ago; others than those of this ledger are passed by.
  void restore(TenantId tenant, const model::Episode& episode, Timestamp now);
  void prune(Timestamp now);
  void clear() { watches_.clear(); }

  [[nodiscard]] bool is_firing(SeriesKey key) const;
  [[nodiscard]] std::size_t firing() const;

 private:
  void observe_one(const JudgedStep& step, const Names& names, Timestamp now, std::size_t firing, Watch& watch, Change& change) const;
  void go_on(const JudgedStep& step, Timestamp now, Watch& watch, Change& change) const;
  static void raise(const JudgedStep& step, const model::SeriesName& series, Timestamp now, Watch& watch, Change& change);
  static void resolve(Timestamp at, Timestamp now, Watch& watch, Change& change);

  std::int64_t resolve_steps_;
  std::map<SeriesKey, Watch> watches_;
};

}  // namespace sensus::analysis
