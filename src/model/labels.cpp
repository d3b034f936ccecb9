#include "sensus/model/labels.hpp"

#include "sensus/core/assert.hpp"

#include <algorithm>
#include <array>
#include <sodium/crypto_generichash.h>

namespace sensus::model {
namespace {

constexpr char kSeparator = static_cast<char>(0xFF);

void append_pairs(std::string& out, const Labels& labels) {
  for (const Label& label : labels) {
    out.append(label.name).push_back(kSeparator);
    out.append(label.value).push_back(kSeparator);
  }
}

LabelsHash blake2b_128(std::string_view bytes) {
  static_assert(sizeof(LabelsHash::bytes) >= crypto_generichash_BYTES_MIN);
  LabelsHash out;
  const int failed = crypto_generichash(out.bytes, sizeof(out.bytes), reinterpret_cast<const unsigned char*>(bytes.data()),
                                        bytes.size(), nullptr, 0);
  SENSUS_ASSERT(failed == 0);
  return out;
}

/// Cuts the text before the next separator off the front; nullopt when there is none.
std::optional<std::string_view> take_part(std::string_view& rest) {
  const std::size_t end = rest.find(kSeparator);
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return part;
}

}  // namespace

Labels::Labels(std::initializer_list<Label> labels) {
  for (const Label& label : labels) {
    set(label.name, label.value);
  }
}

void Labels::set(std::string name, std::string value) {
  const auto at = std::lower_bound(labels_.begin(), labels_.end(), name, [](const Label& l, const std::string& n) { return l.name < n; });
  if (at != labels_.end() && at->name == name) {
    at->value = std::move(value);
  } else {
    labels_.insert(at, Label{std::move(name), std::move(value)});
  }
}

void Labels::erase(std::string_view name) {
  std::erase_if(labels_, [name](const Label& label) { return label.name == name; });
}

const std::string* Labels::find(std::string_view name) const {
  const auto at = std::lower_bound(labels_.begin(), labels_.end(), name, [](const Label& l, std::string_view n) { return l.name < n; });
  return at != labels_.end() && at->name == name ? &at->value : nullptr;
}

std::string_view Labels::get(std::string_view name) const {
  const std::string* value = find(name);
  return value == nullptr ? std::string_view{} : std::string_view{*value};
}

LabelsHash hash_labels(const Labels& labels) {
  std::string bytes;
  append_pairs(bytes, labels);
  return blake2b_128(bytes);
}

std::string fingerprint_of(const Labels& labels) {
  constexpr std::uint64_t kOffsetBasis = 14695981039346656037ULL;
  constexpr std::uint64_t kPrime = 1099511628211ULL;
  std::string bytes;
  append_pairs(bytes, labels);
  std::uint64_t hash = kOffsetBasis;
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * kPrime;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out(16, '0');
  for (std::size_t i = out.size(); i-- > 0; hash >>= 4) {
    out[i] = kDigits[hash & 0xF];
  }
  return out;
}

std::string encode_series_key(std::string_view metric_name, const Labels& labels) {
  std::string out(metric_name);
  out.push_back(kSeparator);
  append_pairs(out, labels);
  return out;
}

std::string_view metric_name_of_key(std::string_view key) { return key.substr(0, key.find('\xFF')); }

std::optional<SeriesName> decode_series_key(std::string_view key) {
  std::string_view rest = key;
  const auto metric_name = take_part(rest);
  if (!metric_name) {
    return std::nullopt;
  }
  SeriesName out{std::string(*metric_name), {}};
  std::optional<std::string_view> last;
  while (!rest.empty()) {
    const auto name = take_part(rest);
    const auto value = take_part(rest);
    if (!name || !value || (last && *name <= *last)) {
      return std::nullopt;
    }
    last = name;
    out.labels.set(std::string(*name), std::string(*value));
  }
  return out;
}

LabelsHash hash_series_key(std::string_view key) { return blake2b_128(key); }

}  // namespace sensus::model
