#pragma once

#include "sensus/core/ids.hpp"
#include "sensus/core/time.hpp"
#include "sensus/model/limits.hpp"
#include "sensus/model/metadata.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sensus::ingest {

/// What is known to be stored of metadata, and what waits to be. Senders repeat the same for ever:
/// that costs one look-up and one hash. A family whose senders disagree is rewritten once in
/// kRewritePause at most. Bounded by families. Pure: no Asio, no clock.
/// **Threading**: reactor only.
class MetadataLedger {
 public:
  static constexpr std::size_t kHelpBytesMax = 1024;  ///< Longer texts are cut.
  static constexpr std::size_t kUnitBytesMax = 63;
  static constexpr std::chrono::microseconds kRewritePause = std::chrono::minutes{1};

  explicit MetadataLedger(std::size_t families_max,
                          std::size_t name_bytes_max = model::InputLimits{}.metric_name_bytes_max)
      : families_max_(families_max), name_bytes_max_(name_bytes_max) {}

  struct Noted {
    std::size_t invalid = 0;  ///< Names too long or empty, texts that are not UTF-8.
    std::size_t beyond = 0;   ///< New families beyond the limit.
  };
  Noted note(TenantId tenant, const model::MetadataBatch& batch, Timestamp now);

  /// Families of one tenant that wait to be stored.
  struct Parcel {
    TenantId tenant = kDefaultTenant;
    std::vector<model::MetricMetadata> families;
  };
  [[nodiscard]] Parcel take(std::size_t most);
  void stored(const Parcel& parcel, Timestamp now);
  /// It could not be stored and waits again, unless its family has something newer to wait with.
  void give_back(Parcel parcel);

  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct Family {
    std::uint64_t said = 0;  ///< Hash of the last that was noted.
    Timestamp rewrite_from = Timestamp::min();
  };
  using Families = std::unordered_map<std::string, Family, Hash, std::equal_to<>>;
  using Place = std::pair<TenantId, std::string>;

  [[nodiscard]] bool is_valid(const model::MetadataBatch::View& entry) const;
  void wait(TenantId tenant, const model::MetadataBatch::View& entry);

  std::size_t families_max_;
  std::size_t name_bytes_max_;
  std::map<TenantId, Families> known_;
  std::size_t size_ = 0;
  std::map<Place, model::MetricMetadata> waiting_;
};

}  // namespace sensus::ingest
