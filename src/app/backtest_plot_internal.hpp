#pragma once

#include "sensus/core/time.hpp"
#include "sensus/ml/verdict.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace sensus::app {

/// A picture of a back-test: the series, the band of ordinary values, and the anomalies, as one SVG that needs nothing else. Memory is bounded:
/// points are merged into at most twice kColumns stretches of equal length, whatever comes.
class BacktestPlot {
 public:
  void add(Timestamp time, double value, const ml::Verdict& verdict);
  /// An SVG element, 1200 by 360; `top` is its place in one that holds it.
  [[nodiscard]] std::string render(const std::string& title, std::size_t top = 0) const;

 private:
  static constexpr std::size_t kColumns = 2000;
  struct Stretch {
    Timestamp begin;
    Timestamp end;
    double low = 0;
    double high = 0;
    double band_low = 0;
    double band_high = 0;
  };
  struct Mark {
    Timestamp time;
    double value = 0;
    ml::Tier tier = ml::Tier::none;
    std::string text;
  };
  void halve();

  std::vector<Stretch> stretches_;
  std::size_t per_stretch_ = 1;  ///< Points of a stretch.
  std::size_t in_last_ = 0;
  std::vector<Mark> marks_;
};

struct TitledPlot {
  std::string title;
  BacktestPlot plot;
};
/// An SVG document, or an HTML page, with the pictures one below the other.
[[nodiscard]] std::string render_svg(const std::vector<TitledPlot>& plots);
[[nodiscard]] std::string render_html(const std::vector<TitledPlot>& plots);

}  // namespace sensus::app
