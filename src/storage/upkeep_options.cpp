#include "sensus/config/section.hpp"
#include "sensus/storage/compaction.hpp"

#include <charconv>
#include <set>
#include <utility>

namespace sensus::storage {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kKeptMin = 24h;
constexpr std::chrono::milliseconds kKeptMax = 10 * 365 * 24h;
constexpr const char* kTenantForm = "allowed is a tenant and what it keeps, like '7 raw=14d rollup_5m=90d rollup_1h=365d'";

Error wrong(std::string_view text, const std::string& why) {
  return make_error(Errc::invalid_input, "'" + std::string(text) + "' " + why + ": " + kTenantForm);
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) {
      out.push_back(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::optional<std::chrono::milliseconds>* find_kept(TenantRetention& tenant, std::string_view key) {
  if (key == "raw") {
    return &tenant.raw;
  }
  if (key == "rollup_5m") {
    return &tenant.rollup_5m;
  }
  return key == "rollup_1h" ? &tenant.rollup_1h : nullptr;
}

}  // namespace

Result<TenantRetention> parse_tenant_retention(std::string_view text) {
  const std::vector<std::string_view> parts = words(text);
  TenantRetention tenant;
  if (parts.size() < 2) {
    return wrong(text, "is not complete");
  }
  const std::string_view id = parts.front();
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), tenant.tenant);
  if (error != std::errc{} || end != id.data() + id.size() || tenant.tenant <= 0) {
    return wrong(text, "begins with no tenant's number");
  }
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t equals = std::min(parts[i].find('='), parts[i].size());
    std::optional<std::chrono::milliseconds>* kept = find_kept(tenant, parts[i].substr(0, equals));
    if (kept == nullptr || kept->has_value() || equals == parts[i].size()) {
      return wrong(text, "has '" + std::string(parts[i]) + "'");
    }
    const auto duration = parse_duration(parts[i].substr(equals + 1));
    if (!duration || *duration < kKeptMin || *duration > kKeptMax) {
      return wrong(text, "has a time that is none, shorter than 1d or longer than 3650d");
    }
    *kept = *duration;
  }
  return tenant;
}

void describe(config::Section& section, CompactionOptions& options) {
  section.boolean("enabled", options.enabled,
                  "Whether this process compacts. Of several replicas one at a time does.");
  section.duration("interval", options.interval, 1s, 24h,
                   "How often closed days are looked at for samples to compact, late ones too.");
  section.duration("closed_after", options.closed_after, 0ms, 30 * 24h,
                   "A UTC day is compacted when it ended so long ago. Samples that come later are "
                   "merged by the next run.");
  section.duration("step_timeout", options.step_timeout, 10s, 24h,
                   "Longest time for one bucket (a 64th of the series) of one day.");
}

void describe(config::Section& section, RetentionOptions& options) {
  section.duration("raw", options.raw, kKeptMin, kKeptMax,
                   "How long samples are kept, in whole UTC days; at least limits.past_window.");
  section.duration("rollup_5m", options.rollup_5m, kKeptMin, kKeptMax,
                   "How long rollups of 5 minutes are kept, in whole months; at least as long as samples.");
  section.duration("rollup_1h", options.rollup_1h, kKeptMin, kKeptMax,
                   "How long rollups of an hour are kept, in whole months; at least as long as samples.");
  section.duration("quarantine", options.quarantine, kKeptMin, kKeptMax,
                   "How long a bad alert stays in the quarantine since it last came.");
  section.duration("dead_letters", options.dead_letters, kKeptMin, kKeptMax,
                   "How long events that were given up stay in the table dead_letters.");
  section.strings("tenants", options.tenants,
                  "Tenants that keep samples or rollups for another time, each like '7 raw=14d rollup_5m=90d rollup_1h=365d' (any of the "
                  "three). A shorter time deletes row by row, which costs more than dropping whole partitions.");
  config::Field& field = section.fields().back();
  field.set_list = [set = std::move(field.set_list)](const std::vector<std::string>& items) -> Result<> {
    std::set<TenantId> seen;
    for (const std::string& item : items) {
      SENSUS_TRY(const TenantRetention tenant, parse_tenant_retention(item));
      if (!seen.insert(tenant.tenant).second) {
        return wrong(item, "names a tenant that another entry names");
      }
    }
    return set(items);
  };
}

}  // namespace sensus::storage
