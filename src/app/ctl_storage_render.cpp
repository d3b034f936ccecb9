#include "ctl_storage_internal.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>

namespace sensus::app {
namespace {

using nlohmann::json;
using storage::StorageStats;

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 512> line{};
  const int length = std::snprintf(line.data(), line.size(), pattern, values...);
  return {line.data(), std::min(static_cast<std::size_t>(std::max(length, 0)), line.size() - 1)};
}

std::string size(std::int64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  return format(unit == 0 ? "%.0f %s" : "%.1f %s", value, units.at(unit));
}

double bytes_per_sample(const StorageStats::Samples& of) {
  return of.samples == 0 ? 0 : static_cast<double>(of.bytes) / static_cast<double>(of.samples);
}

std::string line_of(const char* name, const StorageStats::Samples& of) {
  return format("%-22s about %lld, %.2f bytes each\n", name, static_cast<long long>(of.samples), bytes_per_sample(of));
}

json object_of(const StorageStats::Samples& of) {
  return {{"samples", of.samples}, {"bytes", of.bytes}, {"bytes_per_sample", bytes_per_sample(of)}};
}

json time_or_null(const std::optional<Timestamp>& time) { return time ? json(render_rfc3339(*time)) : json(); }

std::string finish(const json& value) { return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n"; }

}  // namespace

std::string render_text(const StorageStats& stats) {
  std::string out = format("%-22s %10s %12s %14s\n", "table", "partitions", "size", "rows (about)");
  for (const StorageStats::Table& table : stats.tables) {
    out += format("%-22s %10lld %12s %14lld\n", table.name.c_str(), static_cast<long long>(table.partitions), size(table.bytes).c_str(),
                  static_cast<long long>(table.rows));
  }
  out += "\n" + line_of("samples in batches:", stats.batches) + line_of("samples in chunks:", stats.chunks);
  out += format("%-22s %lld\n", "series:", static_cast<long long>(stats.series));
  out += format("%-22s %lld buckets, %lld batch rows\n", "wait for compaction:", static_cast<long long>(stats.backlog_buckets),
                static_cast<long long>(stats.backlog_batches));
  out += format("%-22s %lld rows\n", "default partition:", static_cast<long long>(stats.default_rows));
  if (stats.oldest_day && stats.newest) {
    out += format("%-22s %s to %s\n", "samples from:", render_rfc3339(*stats.oldest_day).c_str(), render_rfc3339(*stats.newest).c_str());
  }
  return out;
}

std::string render_text(const storage::CompactionProgress& done) {
  std::string out = format("compacted %lld buckets with %lld samples, emptied %lld days\n", static_cast<long long>(done.buckets),
                           static_cast<long long>(done.samples), static_cast<long long>(done.days_emptied));
  if (done.days_deferred > 0) {
    out += format("%lld days are emptied by a later run: samples came meanwhile, or an older statement reads them\n",
                  static_cast<long long>(done.days_deferred));
  }
  if (done.busy) {
    out += "a daemon is compacting: it does the rest\n";
  }
  return out;
}

std::string render_text(const storage::VerifyProgress& done) {
  std::string out;
  for (const std::string& problem : done.problems) {
    out += problem + "\n";
  }
  out += format("%lld rows with %lld samples read back, %lld bad\n", static_cast<long long>(done.rows),
                static_cast<long long>(done.samples), static_cast<long long>(done.bad_rows));
  return out;
}

std::string render_json(const StorageStats& stats) {
  json tables = json::array();
  for (const StorageStats::Table& table : stats.tables) {
    tables.push_back({{"name", table.name}, {"partitions", table.partitions}, {"bytes", table.bytes}, {"rows_estimated", table.rows}});
  }
  return finish({{"tables", tables},
                 {"batches", object_of(stats.batches)},
                 {"chunks", object_of(stats.chunks)},
                 {"series", stats.series},
                 {"backlog_buckets", stats.backlog_buckets},
                 {"backlog_batches", stats.backlog_batches},
                 {"default_partition_rows", stats.default_rows},
                 {"oldest_day", time_or_null(stats.oldest_day)},
                 {"newest", time_or_null(stats.newest)}});
}

std::string render_json(const storage::CompactionProgress& done) {
  return finish({{"buckets", done.buckets},
                 {"samples", done.samples},
                 {"days_emptied", done.days_emptied},
                 {"days_deferred", done.days_deferred},
                 {"busy", done.busy}});
}

std::string render_json(const storage::VerifyProgress& done) {
  return finish({{"rows", done.rows}, {"samples", done.samples}, {"bad_rows", done.bad_rows}, {"problems", done.problems}});
}

}  // namespace sensus::app
