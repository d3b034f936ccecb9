#include "backtest_plot_internal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace sensus::app {
namespace {

constexpr double kWidth = 1200;
constexpr double kHeight = 360;
constexpr double kLeft = 76;
constexpr double kRight = 16;
constexpr double kTop = 42;
constexpr double kBottom = 34;
constexpr std::size_t kMarksMax = 5000;

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6g", value);
  return text.data();
}

std::string pixel(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

/// From time and value to pixels.
struct Frame {
  double begin = 0;
  double seconds = 1;
  double low = 0;
  double width = 1;
  [[nodiscard]] double x(Timestamp time) const {
    return kLeft + (kWidth - kLeft - kRight) * (static_cast<double>(to_unix_us(time)) * 1e-6 - begin) / seconds;
  }
  [[nodiscard]] double y(double value) const {
    const double part = std::clamp((value - low) / width, 0.0, 1.0);
    return kHeight - kBottom - (kHeight - kTop - kBottom) * part;
  }
  [[nodiscard]] std::string at(Timestamp time, double value) const { return pixel(x(time)) + "," + pixel(y(value)) + " "; }
};

/// A round step that gives about `count` of them in `range`.
double round_step(double range, double count) {
  const double rough = range / count;
  const double ten = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * ten >= rough) {
      return factor * ten;
    }
  }
  return 10 * ten;
}

std::string line(double x1, double y1, double x2, double y2) {
  return "<line x1='" + pixel(x1) + "' y1='" + pixel(y1) + "' x2='" + pixel(x2) + "' y2='" + pixel(y2) + "'/>";
}

std::string render_grid(const Frame& frame) {
  std::string lines = "<g stroke='#e3e6ea'>";
  std::string words = "<g fill='#57606a' font-size='12'>";
  const double step = round_step(frame.width, 5);
  for (double value = std::ceil(frame.low / step) * step; value <= frame.low + frame.width && step > 0; value += step) {
    lines += line(kLeft, frame.y(value), kWidth - kRight, frame.y(value));
    words += "<text text-anchor='end' x='" + pixel(kLeft - 6) + "' y='" + pixel(frame.y(value) + 4) + "'>" +
             number(std::abs(value) < step / 2 ? 0 : value) + "</text>";
  }
  const double days = std::max(1.0, std::ceil(frame.seconds / 86400 / 10));
  const double unit = frame.seconds > 2 * 86400 ? 86400 * days : 3600 * std::max(1.0, std::ceil(frame.seconds / 3600 / 10));
  for (double t = std::ceil(frame.begin / unit) * unit; t <= frame.begin + frame.seconds; t += unit) {
    const Timestamp time = from_unix_us(static_cast<std::int64_t>(t * 1e6));
    const std::string text = render_rfc3339(time);
    lines += line(frame.x(time), kTop, frame.x(time), kHeight - kBottom);
    words += "<text text-anchor='middle' x='" + pixel(frame.x(time)) + "' y='" + pixel(kHeight - kBottom + 18) + "'>" +
             (unit >= 86400 ? text.substr(5, 5) : text.substr(11, 5)) + "</text>";
  }
  return lines + "</g>\n" + words + "</g>\n";
}

}  // namespace

void BacktestPlot::add(Timestamp time, double value, const ml::Verdict& verdict) {
  if (verdict.is_anomaly && marks_.size() < kMarksMax) {
    std::string text = render_rfc3339(time) + " " + number(value) + ", expected " + number(verdict.expected) + ": ";
    text.append(ml::name_of(verdict.kind)).append(", ").append(ml::name_of(verdict.tier));
    marks_.push_back({time, value, verdict.tier, std::move(text)});
  }
  if (in_last_ == 0 || stretches_.empty()) {
    if (stretches_.size() == 2 * kColumns) {
      halve();
    }
    stretches_.push_back({time, time, value, value, verdict.band_low, verdict.band_high});
  } else {
    Stretch& last = stretches_.back();
    last = {last.begin, time, std::min(last.low, value), std::max(last.high, value), std::min(last.band_low, verdict.band_low),
            std::max(last.band_high, verdict.band_high)};
  }
  in_last_ = (in_last_ + 1) % per_stretch_;
}

void BacktestPlot::halve() {
  for (std::size_t i = 0; 2 * i + 1 < stretches_.size(); ++i) {
    const Stretch& a = stretches_[2 * i];
    const Stretch& b = stretches_[2 * i + 1];
    stretches_[i] = {a.begin, b.end, std::min(a.low, b.low), std::max(a.high, b.high), std::min(a.band_low, b.band_low),
                     std::max(a.band_high, b.band_high)};
  }
  stretches_.resize(stretches_.size() / 2);
  per_stretch_ *= 2;
}

std::string BacktestPlot::render(const std::string& title, std::size_t top) const {
  std::string out = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " + pixel(kWidth) + " " + pixel(kHeight) +
                    (top == 0 ? std::string() : "' y='" + std::to_string(top) + "' width='" + pixel(kWidth) + "' height='" + pixel(kHeight)) +
                    "' font-family='sans-serif'>\n<rect width='100%' height='100%' fill='#fff'/>\n<text x='" + pixel(kLeft) +
                    "' y='20' font-size='15'>" + escape(title) + "</text>\n";
  if (stretches_.empty()) {
    return out + "</svg>\n";
  }
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const Stretch& stretch : stretches_) {
    low = std::min(low, stretch.low);
    high = std::max(high, stretch.high);
  }
  const double margin = high > low ? (high - low) * 0.06 : std::max(1.0, std::abs(high));
  const double begin = static_cast<double>(to_unix_us(stretches_.front().begin)) * 1e-6;
  const double end = static_cast<double>(to_unix_us(stretches_.back().end)) * 1e-6;
  const Frame frame{begin, std::max(1.0, end - begin), low - margin, high - low + 2 * margin};
  out += render_grid(frame);

  std::string upper;
  std::string lower;
  std::string series;
  for (const Stretch& stretch : stretches_) {
    upper += frame.at(stretch.begin, stretch.band_high);
    lower.insert(0, frame.at(stretch.begin, stretch.band_low));
    series += frame.at(stretch.begin, stretch.low);
    if (stretch.high > stretch.low) {
      series += frame.at(stretch.begin, stretch.high);
    }
  }
  out += "<polygon points='" + upper + lower + "' fill='#0969da' fill-opacity='0.16'/>\n";
  out += "<polyline points='" + series + "' fill='none' stroke='#24292f' stroke-width='1'/>\n";
  for (const Mark& mark : marks_) {
    const bool is_alerting = mark.tier == ml::Tier::alerting;
    out += "<circle cx='" + pixel(frame.x(mark.time)) + "' cy='" + pixel(frame.y(mark.value)) + "' r='" + (is_alerting ? "6" : "4.5") +
           "' fill='" + (is_alerting ? "#cf222e" : "#fb8f44") + "' fill-opacity='0.85'><title>" + escape(mark.text) + "</title></circle>\n";
  }
  const std::string x = pixel(kWidth - 330);
  out += "<g font-size='12' fill='#57606a'><rect x='" + x + "' y='10' width='14' height='12' fill='#0969da' fill-opacity='0.16'/><text x='" +
         pixel(kWidth - 310) + "' y='20'>band of ordinary values</text><circle cx='" + pixel(kWidth - 154) +
         "' cy='16' r='4.5' fill='#fb8f44'/><text x='" + pixel(kWidth - 144) + "' y='20'>notable</text><circle cx='" + pixel(kWidth - 82) +
         "' cy='16' r='6' fill='#cf222e'/><text x='" + pixel(kWidth - 70) + "' y='20'>alerting</text></g>\n";
  return out + "</svg>\n";
}

std::string render_svg(const std::vector<TitledPlot>& plots) {
  if (plots.size() == 1) {
    return plots.front().plot.render(plots.front().title);
  }
  const auto height = static_cast<std::size_t>(kHeight);
  std::string out = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " + pixel(kWidth) + " " +
                    pixel(kHeight * static_cast<double>(plots.size())) + "'>\n";
  for (std::size_t i = 0; i < plots.size(); ++i) {
    out += plots[i].plot.render(plots[i].title, i * height);
  }
  return out + "</svg>\n";
}

std::string render_html(const std::vector<TitledPlot>& plots) {
  std::string out = "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>" +
                    (plots.size() == 1 ? escape(plots.front().title) : std::to_string(plots.size()) + " series") +
                    "</title><style>body{margin:1rem;font-family:sans-serif}svg{width:100%;height:auto}</style></head><body>\n";
  for (const TitledPlot& one : plots) {
    out += one.plot.render(one.title);
  }
  return out + "</body></html>\n";
}

}  // namespace sensus::app
