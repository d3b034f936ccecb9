#include "backtest_internal.hpp"

#include "sensus/core/time.hpp"
#include "sensus/ml/detector.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>

namespace sensus::app {
namespace {

Error wrong(std::string message) { return make_error(Errc::invalid_input, std::move(message)); }

std::optional<double> parse_number(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    return std::numeric_limits<double>::infinity();
  }
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\"";
  const std::size_t first = text.find_first_not_of(kBlank);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kBlank) + 1 - first);
}

struct Columns {
  std::size_t time = 0;
  std::size_t value = 1;
};

/// The field at `index`, or nothing when the row is shorter. Fields hold numbers and times: no
/// quoted commas.
std::optional<std::string_view> field(std::string_view row, std::size_t index) {
  for (; index > 0; --index) {
    const std::size_t comma = row.find(',');
    if (comma == std::string_view::npos) {
      return std::nullopt;
    }
    row.remove_prefix(comma + 1);
  }
  return trim(row.substr(0, row.find(',')));
}

std::optional<Columns> parse_header(std::string_view row) {
  if (row.starts_with("\xEF\xBB\xBF")) {
    row.remove_prefix(3);
  }
  std::optional<std::size_t> time;
  std::optional<std::size_t> value;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::optional<std::string_view> name = field(row, i);
    if (!name) {
      break;
    }
    if (*name == "timestamp" || *name == "time") {
      time = i;
    } else if (*name == "value") {
      value = i;
    }
  }
  return time && value ? std::optional(Columns{*time, *value}) : std::nullopt;
}

}  // namespace

std::optional<Timestamp> parse_backtest_time(std::string_view text) {
  if (const std::optional<double> seconds = parse_number(text)) {
    const double us = std::abs(*seconds) < 1e11 ? *seconds * 1e6 : *seconds * 1e3;
    if (!std::isfinite(us) || std::abs(us) > 2.5e17) {
      return std::nullopt;
    }
    return from_unix_us(std::llround(us));
  }
  if (const Result<Timestamp> time = parse_rfc3339(text)) {
    return *time;
  }
  std::string whole(text);
  if (whole.size() == 10) {
    whole += " 00:00";
  }
  if (whole.size() == 16) {
    whole += ":00";
  }
  const Result<Timestamp> time = parse_rfc3339(whole + "Z");
  return time ? std::optional(*time) : std::nullopt;
}

Result<std::unique_ptr<ml::Detector>> make_backtest_detector(const BacktestOptions& options) {
  const std::optional<ml::Profile> profile = ml::parse_profile(options.profile);
  if (!profile) {
    return wrong("--profile is one of compact, standard, thorough, not " + options.profile);
  }
  const std::optional<ml::Direction> direction = ml::parse_direction(options.direction);
  if (!direction) {
    return wrong("--direction is one of both, above, below, not " + options.direction);
  }
  std::unique_ptr<ml::Detector> detector = ml::make_detector({.profile = *profile,
                                                              .seed = options.seed,
                                                              .warmup = options.warmup,
                                                              .false_alerts_per_week = options.false_alerts_per_week});
  ml::Gates gates = options.gates;
  gates.direction = *direction;
  detector->set_gates(gates);
  return detector;
}

std::string render_backtest_row(std::string_view time, std::string_view value, const ml::Verdict& verdict) {
  std::array<char, 32> score{};
  std::snprintf(score.data(), score.size(), "%.6f", verdict.score);
  std::string out(time);
  out.append(",").append(value).append(",").append(score.data());
  out.append(verdict.is_anomaly ? ",1," : ",0,").append(ml::name_of(verdict.kind));
  return out.append(verdict.tier == ml::Tier::alerting ? ",1\n" : ",0\n");
}

Result<> write_backtest_plots(const std::vector<TitledPlot>& plots, const std::string& file) {
  std::ofstream out(file, std::ios::trunc);
  out << (file.ends_with(".html") ? render_html(plots) : render_svg(plots));
  out.flush();
  return out ? Result<>() : make_error(Errc::unavailable, "cannot write " + file);
}

Result<> run_backtest(const BacktestOptions& options) {
  SENSUS_TRY(const std::unique_ptr<ml::Detector> detector, make_backtest_detector(options));
  std::ifstream in(options.input);
  if (!in) {
    return make_error(Errc::unavailable, "cannot read " + options.input);
  }
  std::ofstream out(options.output, std::ios::trunc);
  if (!out) {
    return make_error(Errc::unavailable, "cannot write " + options.output);
  }
  std::string row;
  const std::optional<Columns> columns = std::getline(in, row) ? parse_header(row) : std::nullopt;
  if (!columns) {
    return wrong(options.input + ": the first line must name the columns timestamp and value");
  }
  out << kBacktestColumns << '\n';
  std::vector<TitledPlot> plots{{options.input.substr(options.input.find_last_of('/') + 1), {}}};
  for (std::size_t line = 2; std::getline(in, row); ++line) {
    if (trim(row).empty()) {
      continue;
    }
    const std::string_view time_text = field(row, columns->time).value_or("");
    const std::string_view value_text = field(row, columns->value).value_or("");
    const std::optional<Timestamp> time = parse_backtest_time(time_text);
    const std::optional<double> value =
        value_text.empty() ? std::optional(std::numeric_limits<double>::quiet_NaN())
                           : parse_number(value_text);
    if (!time || !value) {
      return wrong(options.input + ":" + std::to_string(line) +
                   ": not a time and a number: " + row.substr(0, 200));
    }
    const ml::Verdict verdict = detector->update(*time, *value);
    out << render_backtest_row(time_text, value_text, verdict);
    if (!options.plot.empty() && std::isfinite(*value) && detector->last_time() == *time) {
      plots.front().plot.add(*time, *value, verdict);
    }
  }
  out.flush();
  if (!out || !in.eof()) {
    return make_error(Errc::unavailable, "reading " + options.input + " or writing " + options.output + " failed");
  }
  return options.plot.empty() ? Result<>() : write_backtest_plots(plots, options.plot);
}

}  // namespace sensus::app
