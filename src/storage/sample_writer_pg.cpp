#include "sensus/pg/bulk_session.hpp"
#include "sensus/storage/samples.hpp"

#include "sensus/codec/model_json.hpp"
#include "storage/sample_layout_internal.hpp"
#include "storage/sql_internal.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <unordered_map>

namespace sensus::storage {
namespace {

using pg::BulkTx;
using pg::Params;
using pg::Rows;

constexpr std::string_view kCopyOutbox =
    "copy sensus.outbox (tenant_id, topic, type, payload) from stdin (format binary)";
constexpr std::string_view kFindSeries =
    "select id, fingerprint from sensus.series where tenant_id = $1::int and fingerprint = "
    "any($2::bytea[])";
constexpr std::string_view kInsertSeries =
    "insert into sensus.series (tenant_id, fingerprint, metric_name, labels) select $1::int, "
    "n.fingerprint, n.name, n.labels::jsonb "
    "from unnest($2::bytea[], $3::text[], $4::text[]) n(fingerprint, name, labels) on conflict "
    "(tenant_id, fingerprint) do nothing "
    "returning id, fingerprint";
constexpr std::string_view kTouchSeries =
    "update sensus.series s set last_seen = n.seen from (select o.id, u.seen from "
    "unnest($2::int[], $3::timestamptz[]) u(id, seen) "
    "join sensus.series o on o.tenant_id = $1::int and o.id = u.id order by o.id for no key update "
    "of o) n "
    "where s.tenant_id = $1::int and s.id = n.id and s.last_seen < n.seen";

/// series.last_seen is kept up in steps: a write for each sample would cost more than the samples
/// do.
constexpr std::chrono::minutes kTouchStep{10};
constexpr std::size_t kTouchesMax = 5000;  ///< A flush; the rest goes with the next ones.
constexpr std::size_t kTouchedMax =
    1'000'000;  ///< Series remembered; then all is forgotten and written once more.

struct WriterMetrics {
  explicit WriterMetrics(telemetry::Metrics& m)
      : samples(m.counter("sensus_storage_samples_written_total", "Samples committed.")),
        commits(m.counter("sensus_storage_sample_commits_total", "Group commits of samples.")),
        series_created(
            m.counter("sensus_storage_series_created_total", "Series seen for the first time.")),
        rows(m.counter("sensus_storage_sample_rows_total", "Rows of sample_batches committed.")) {}
  telemetry::Counter samples;
  telemetry::Counter commits;
  telemetry::Counter series_created;
  telemetry::Counter rows;
};

/// Finds and creates the series of one flush. New ones are inserted in the order of their
/// fingerprints, so that two writers that meet the same new series wait for each other in one
/// direction only.
class SeriesResolver {
 public:
  SeriesResolver(BulkTx& tx, TenantId tenant, const std::vector<std::string>& keys)
      : tx_(tx), tenant_(tenant), keys_(keys) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      open_.emplace(model::hash_series_key(keys[i]), i);
    }
    ids_.resize(keys.size());
  }

  Result<std::vector<SeriesId>> run() {
    find();
    if (!open_.empty()) {
      SENSUS_TRY_VOID(insert());
    }
    if (!open_.empty()) {
      find();  // Somebody else created them meanwhile.
    }
    if (!open_.empty()) {
      return make_error(Errc::internal, "series can neither be found nor created");
    }
    return ids_;
  }
  [[nodiscard]] std::size_t created() const { return created_; }

 private:
  std::vector<std::vector<std::uint8_t>> open_fingerprints() const {
    std::vector<std::vector<std::uint8_t>> fingerprints;
    for (const auto& [hash, index] : open_) {
      fingerprints.push_back(to_bytes(hash));
    }
    return fingerprints;
  }

  void take(const Rows& rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto found = open_.find(read_hash(rows, i, 1));
      if (found != open_.end()) {
        ids_[found->second] = static_cast<SeriesId>(rows.integer(i, 0));
        open_.erase(found);
      }
    }
  }

  void find() {
    take(tx_.exec(kFindSeries, Params().integer(tenant_).byteas(open_fingerprints())));
  }

  Result<> insert() {
    std::vector<std::string> names;
    std::vector<std::string> labels;
    for (const auto& [hash, index] : open_) {
      const auto name = model::decode_series_key(keys_[index]);
      if (!name) {
        return make_error(Errc::internal, "a series key cannot be read");
      }
      names.push_back(name->metric_name);
      labels.push_back(codec::render_labels(name->labels));
    }
    const Rows rows =
        tx_.exec(kInsertSeries,
                 Params().integer(tenant_).byteas(open_fingerprints()).texts(names).texts(labels));
    created_ += rows.size();
    take(rows);
    return {};
  }

  BulkTx& tx_;
  TenantId tenant_;
  const std::vector<std::string>& keys_;
  std::map<model::LabelsHash, std::size_t> open_;  ///< Without an id yet; sorted by fingerprint.
  std::vector<SeriesId> ids_;
  std::size_t created_ = 0;
};

std::vector<SampleRow> with_ids(const std::vector<SampleRow>& rows,
                                const std::vector<SeriesId>& fresh) {
  std::vector<SampleRow> resolved = rows;
  for (SampleRow& row : resolved) {
    if (row.series < 0) {
      const auto index = static_cast<std::size_t>(-(row.series + 1));
      row.series = index < fresh.size() ? fresh[index] : 0;
    }
    if (row.series <= 0) {
      throw std::logic_error("a sample refers to no series");
    }
  }
  return resolved;
}

pg::CopyBuffer encode_events(TenantId tenant, const std::vector<model::NewEvent>& events) {
  pg::CopyBuffer out;
  for (const model::NewEvent& event : events) {
    out.begin_row(4);
    out.int32(tenant);
    out.text(model::to_string(event.topic));
    out.text(event.type);
    out.text(event.payload);
  }
  return out;
}

class PgSampleWriter final : public SampleWriter {
 public:
  PgSampleWriter(const pg::Options& options, telemetry::Log log, telemetry::Metrics& metrics)
      : session_(options, std::move(log), metrics), metrics_(metrics) {}

  Result<FlushResult> write_blocking(Deadline deadline, const SampleFlush& flush) override {
    FlushResult result;
    std::size_t created = 0;
    std::size_t rows = 0;
    const pg::BulkSession::Job job = [&](BulkTx& tx) -> Result<> {
      created = 0;
      if (!flush.new_series.empty()) {
        SeriesResolver resolver(tx, flush.tenant, flush.new_series);
        SENSUS_TRY(result.new_series, resolver.run());
        created = resolver.created();
      }
      pg::CopyBuffer samples =
          encode_samples(flush.tenant, with_ids(flush.rows, result.new_series));
      rows = samples.rows();
      tx.copy(kCopySamples, std::move(samples));
      tx.copy(kCopyOutbox, encode_events(flush.tenant, flush.events));
      return {};
    };
    SENSUS_TRY_VOID(session_.write_blocking(deadline, job));
    metrics_.samples.inc(static_cast<double>(flush.rows.size()));
    metrics_.commits.inc();
    metrics_.series_created.inc(static_cast<double>(created));
    metrics_.rows.inc(static_cast<double>(rows));
    touch_series(deadline, flush);
    return result;
  }

  void cancel() override { session_.cancel(); }

 private:
  /// Best effort after the commit: a failure shows in the metrics of pg and is made good by the
  /// next step.
  void touch_series(Deadline deadline, const SampleFlush& flush) {
    std::unordered_map<SeriesId, Timestamp> newest;
    for (const SampleRow& row : flush.rows) {
      if (row.series <= 0) {
        continue;  // Its row says now().
      }
      const auto step = row.time.time_since_epoch() / kTouchStep;
      const auto known = touched_.find(row.series);
      if ((known == touched_.end() || known->second < step) &&
          (newest.size() < kTouchesMax || newest.contains(row.series))) {
        Timestamp& seen = newest.try_emplace(row.series, row.time).first->second;
        seen = std::max(seen, row.time);
      }
    }
    if (newest.empty()) {
      return;
    }
    std::vector<std::int64_t> ids;
    std::vector<Timestamp> times;
    for (const auto& [id, time] : newest) {
      ids.push_back(id);
      times.push_back(time);
    }
    const pg::BulkSession::Job job = [&](BulkTx& tx) -> Result<> {
      (void)tx.exec(kTouchSeries, Params().integer(flush.tenant).integers(ids).times(times));
      return {};
    };
    if (!session_.write_blocking(min(deadline, Deadline::after(1s)), job)) {
      return;
    }
    if (touched_.size() > kTouchedMax) {
      touched_.clear();
    }
    for (const auto& [id, time] : newest) {
      touched_[id] = time.time_since_epoch() / kTouchStep;
    }
  }

  pg::BulkSession session_;
  WriterMetrics metrics_;
  std::unordered_map<SeriesId, std::int64_t> touched_;
};

}  // namespace

std::unique_ptr<SampleWriter> make_sample_writer(pg::Options options, telemetry::Log log,
                                                 telemetry::Metrics& metrics) {
  return std::make_unique<PgSampleWriter>(options, std::move(log), metrics);
}

}  // namespace sensus::storage
