#include "sensus/model/limits.hpp"

#include "sensus/core/utf8.hpp"

namespace sensus::model {
namespace {

Error bad(std::string message, std::string field) {
  return make_error(Errc::invalid_input, std::move(message), std::move(field));
}

std::string over(std::size_t size, std::size_t max) {
  return std::to_string(size) + " bytes, at most " + std::to_string(max) + " are allowed";
}

/// A name as part of an error's field: short and printable.
std::string shown(std::string_view name) {
  constexpr std::size_t kShown = 64;
  if (find_invalid_utf8(name) != std::string_view::npos) {
    return "?";
  }
  if (name.size() <= kShown) {
    return std::string(name);
  }
  std::size_t cut = kShown;
  while (cut > 0 && (static_cast<unsigned char>(name[cut]) & 0xC0U) == 0x80U) {
    --cut;
  }
  return std::string(name.substr(0, cut)) + "...";
}

bool is_text(std::string_view text) { return text.find('\0') == std::string_view::npos && is_utf8(text); }

Result<> check_set(const Labels& labels, std::size_t value_max, const InputLimits& limits, const std::string& field) {
  if (labels.size() > limits.label_count_max) {
    return bad("has " + std::to_string(labels.size()) + " entries, at most " + std::to_string(limits.label_count_max) + " are allowed", field);
  }
  for (const Label& label : labels) {
    SENSUS_TRY_VOID(check_label(label.name, label.value, value_max, limits, field));
  }
  return {};
}

}  // namespace

Result<> check_label(std::string_view name, std::string_view value, std::size_t value_bytes_max, const InputLimits& limits,
                     const std::string& field) {
  if (name.empty()) {
    return bad("a label name is empty", field);
  }
  if (name.size() > limits.label_name_bytes_max) {
    return bad("the name has " + over(name.size(), limits.label_name_bytes_max), field + "." + shown(name));
  }
  if (value.size() > value_bytes_max) {
    return bad("the value has " + over(value.size(), value_bytes_max), field + "." + shown(name));
  }
  if (!is_text(name) || !is_text(value)) {
    return bad("must be UTF-8 without NUL", field + "." + shown(name));
  }
  return {};
}

Result<> check_labels(const Labels& labels, const InputLimits& limits, const std::string& field) {
  return check_set(labels, limits.label_value_bytes_max, limits, field);
}

Result<> check_annotations(const Labels& annotations, const InputLimits& limits, const std::string& field) {
  return check_set(annotations, limits.annotation_value_bytes_max, limits, field);
}

Result<> check_metric_name(std::string_view name, const InputLimits& limits, const std::string& field) {
  if (name.empty()) {
    return bad("must not be empty", field);
  }
  if (name.size() > limits.metric_name_bytes_max) {
    return bad("has " + over(name.size(), limits.metric_name_bytes_max), field);
  }
  if (!is_text(name)) {
    return bad("must be UTF-8 without NUL", field);
  }
  return {};
}

Result<> check_timestamp(Timestamp t, Timestamp now, const InputLimits& limits, const std::string& field) {
  const Timestamp earliest = now - limits.past_window;
  const Timestamp latest = now + limits.future_window;
  if (t < earliest || t > latest) {
    return bad("is outside the accepted window: between " + render_rfc3339(earliest) + " and " + render_rfc3339(latest), field);
  }
  return {};
}

}  // namespace sensus::model
