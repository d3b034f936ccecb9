#include "metadata_ledger_internal.hpp"

#include "sensus/core/utf8.hpp"

#include <algorithm>
#include <utility>

namespace sensus::ingest {
namespace {

bool is_text(std::string_view text) {
  return is_utf8(text) && text.find('\0') == std::string_view::npos;
}

std::uint64_t hash_of(const model::MetadataBatch::View& entry) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;
  const std::hash<std::string_view> hash;
  return (hash(entry.help) * kOdd ^ hash(entry.unit)) * kOdd ^
         static_cast<std::uint64_t>(entry.type);
}

/// Not in the middle of a character.
std::string cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) {
    const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; };
    while (bytes_max > 0 && continues(text[bytes_max])) {
      --bytes_max;
    }
    text = text.substr(0, bytes_max);
  }
  return std::string(text);
}

bool says_nothing(const model::MetadataBatch::View& entry) {
  return entry.type == model::MetricType::unknown && entry.unit.empty() && entry.help.empty();
}

}  // namespace

MetadataLedger::Noted MetadataLedger::note(TenantId tenant, const model::MetadataBatch& batch,
                                           Timestamp now) {
  Noted out;
  Families& families = known_[tenant];
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const model::MetadataBatch::View entry = batch[i];
    const std::uint64_t said = hash_of(entry);
    const auto known = families.find(entry.family);
    if (known != families.end()) {
      Family& family = known->second;
      if (family.said == said || now < family.rewrite_from || !is_valid(entry) ||
          says_nothing(entry)) {
        continue;
      }
      family.said = said;
    } else if (!is_valid(entry)) {
      ++out.invalid;
      continue;
    } else if (says_nothing(entry)) {
      continue;
    } else if (size_ >= families_max_) {
      ++out.beyond;
      continue;
    } else {
      families.emplace(std::string(entry.family), Family{said});
      ++size_;
    }
    wait(tenant, entry);
  }
  return out;
}

bool MetadataLedger::is_valid(const model::MetadataBatch::View& entry) const {
  return !entry.family.empty() && entry.family.size() <= name_bytes_max_ && is_text(entry.family) &&
         is_text(entry.unit) && is_text(entry.help);
}

void MetadataLedger::wait(TenantId tenant, const model::MetadataBatch::View& entry) {
  std::string family(entry.family);
  model::MetricMetadata metadata{family, entry.type, cut(entry.unit, kUnitBytesMax),
                                 cut(entry.help, kHelpBytesMax)};
  waiting_.insert_or_assign(Place(tenant, std::move(family)), std::move(metadata));
}

MetadataLedger::Parcel MetadataLedger::take(std::size_t most) {
  Parcel parcel;
  if (waiting_.empty()) {
    return parcel;
  }
  parcel.tenant = waiting_.begin()->first.first;
  while (!waiting_.empty() && waiting_.begin()->first.first == parcel.tenant &&
         parcel.families.size() < most) {
    parcel.families.push_back(std::move(waiting_.begin()->second));
    waiting_.erase(waiting_.begin());
  }
  return parcel;
}

void MetadataLedger::stored(const Parcel& parcel, Timestamp now) {
  Families& families = known_[parcel.tenant];
  for (const model::MetricMetadata& one : parcel.families) {
    if (const auto known = families.find(one.family); known != families.end()) {
      known->second.rewrite_from = now + kRewritePause;
    }
  }
}

void MetadataLedger::give_back(Parcel parcel) {
  for (model::MetricMetadata& one : parcel.families) {
    std::string family = one.family;
    waiting_.try_emplace(Place(parcel.tenant, std::move(family)), std::move(one));
  }
}

}  // namespace sensus::ingest
