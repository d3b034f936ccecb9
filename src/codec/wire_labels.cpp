#include "wire_labels_internal.hpp"

#include "sensus/core/utf8.hpp"
#include "sensus/model/labels.hpp"
#include "sensus/model/selector.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

namespace sensus::codec {
namespace {

constexpr char kSeparator = static_cast<char>(0xFF);

/// No NUL and nothing beyond ASCII, as nearly all labels are; eight bytes at a time.
bool is_plain(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  constexpr std::uint64_t kHighs = 0x8080808080808080ULL;
  const auto odd_bytes = [](const char* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    return (word | ((word - kOnes) & ~word)) & kHighs;
  };
  std::uint64_t odd = 0;
  if (text.size() < sizeof odd) {
    for (const char c : text) {
      odd |= static_cast<unsigned char>(c - 1) >= 0x7F ? 1 : 0;
    }
    return odd == 0;
  }
  for (std::size_t at = 0; at + sizeof odd < text.size(); at += sizeof odd) {
    odd |= odd_bytes(text.data() + at);
  }
  // The last eight bytes, some of them once more.
  return (odd | odd_bytes(text.data() + text.size() - sizeof odd)) == 0;
}

bool is_text(std::string_view text) {
  if (is_plain(text)) {
    return true;
  }
  return is_utf8(text) && text.find('\0') == std::string_view::npos;
}

std::string shown(std::string_view name) {
  return std::string(name.substr(0, name.size() <= 64 ? name.size() : 0));
}

std::string path(std::size_t series, std::string_view member) {
  return "timeseries[" + std::to_string(series) + "]." + std::string(member);
}

Error bad_labels(std::size_t series, std::string message) {
  return make_error(Errc::invalid_input, std::move(message), path(series, "labels"));
}

}  // namespace

std::optional<Error> WireLabels::arrange(std::size_t series) {
  // Sorted, and each name once: as senders have it, told in one look.
  const auto disorder =
      std::adjacent_find(labels_.begin(), labels_.end(),
                         [](const View& a, const View& b) { return !(a.name < b.name); });
  if (disorder == labels_.end()) {
    return std::nullopt;
  }
  std::sort(labels_.begin(), labels_.end(),
            [](const View& a, const View& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(labels_.begin(), labels_.end(),
                         [](const View& a, const View& b) { return a.name == b.name; });
  if (twice != labels_.end() && !twice->name.empty()) {
    return bad_labels(series, (is_text(twice->name) ? "the label " + shown(twice->name) : "a label") +
                                  " is given twice");
  }
  return std::nullopt;
}

std::optional<Error> WireLabels::encode(std::size_t series) {
  if (auto disorder = arrange(series)) {
    return disorder;
  }
  if (labels_.size() > limits_.label_count_max + 1) {
    return bad_labels(series, "has more than " + std::to_string(limits_.label_count_max) +
                                  " entries beside __name__");
  }
  const auto name = std::find_if(labels_.begin(), labels_.end(),
                                 [](const View& label) { return label.name == model::kNameLabel; });
  if (name == labels_.end()) {
    return bad_labels(series, "the label __name__ is missing");
  }
  if (name->value.empty() || name->value.size() > limits_.metric_name_bytes_max ||
      !is_text(name->value)) {
    return model::check_metric_name(name->value, limits_, path(series, "labels.__name__")).error();
  }
  start_key(name->value);
  for (auto label = labels_.begin(); label != labels_.end(); ++label) {
    if (label->name.empty() || label->name.size() > limits_.label_name_bytes_max ||
        label->value.size() > limits_.label_value_bytes_max || !is_text(label->name) ||
        !is_text(label->value)) {
      return model::check_label(label->name, label->value, limits_.label_value_bytes_max, limits_,
                                path(series, "labels"))
          .error();
    }
    if (label != name && !label->value.empty()) {
      append_to_key(label->name);
      append_to_key(label->value);
    }
  }
  return std::nullopt;
}

/// Room for the whole key at once: the pieces are short, and appending each by itself costs more than copying it.
void WireLabels::start_key(std::string_view name) {
  std::size_t size = name.size() + 1;
  for (const View& label : labels_) {
    size += label.name.size() + label.value.size() + 2;
  }
  if (room_.size() < size) {
    room_.resize(2 * size);
  }
  key_ = std::string_view(room_.data(), 0);
  append_to_key(name);
}

void WireLabels::append_to_key(std::string_view text) {
  char* at = room_.data() + key_.size();
  std::copy(text.begin(), text.end(), at);
  at[text.size()] = kSeparator;
  key_ = std::string_view(room_.data(), key_.size() + text.size() + 1);
}

}  // namespace sensus::codec
