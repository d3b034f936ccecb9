#include "sensus/pg/bulk_session.hpp"
#include "sensus/storage/samples.hpp"

#include "sensus/codec/model_json.hpp"
#include "storage/sample_layout_internal.hpp"
#include "storage/series_ends_internal.hpp"
#include "storage/sql_internal.hpp"

#include <algorithm>
#include <iterator>
#include <map>

namespace sensus::storage {
namespace {

using pg::BulkTx;
using pg::Params;
using pg::Rows;

constexpr std::string_view kCopyOutbox =
    "copy sensus.outbox (tenant_id, topic, type, payload) from stdin (format binary)";
// The statements of the rule that ingest::SeriesCache states: a row that is old enough to be removed is taken by updating it only.
constexpr std::string_view kFindSeries =
    "select id, fingerprint, greatest(extract(epoch from now() - last_seen), 0)::int, ended_at is not null from sensus.series "
    "where tenant_id = $1::int and fingerprint = any($2::bytea[]) and last_seen > now() - interval '20 minutes'";
static_assert(kSeenFresh == std::chrono::minutes{20});
constexpr std::string_view kReviveSeries =
    "update sensus.series s set last_seen = now() from (select o.id from sensus.series o where o.tenant_id = $1::int and "
    "o.fingerprint = any($2::bytea[]) order by o.id for no key update) n "
    "where s.tenant_id = $1::int and s.id = n.id returning s.id, s.fingerprint, 0, s.ended_at is not null";
constexpr std::string_view kInsertSeries =
    "insert into sensus.series (tenant_id, fingerprint, metric_name, labels) select $1::int, "
    "n.fingerprint, n.name, n.labels::jsonb "
    "from unnest($2::bytea[], $3::text[], $4::text[]) n(fingerprint, name, labels) on conflict "
    "(tenant_id, fingerprint) do update set last_seen = now() "
    "returning id, fingerprint, 0, ended_at is not null";
constexpr std::string_view kTouchSeries =
    "update sensus.series s set last_seen = now() from (select o.id from sensus.series o "
    "where o.tenant_id = $1::int and o.id = any($2::int[]) order by o.id for no key update) n "
    "where s.tenant_id = $1::int and s.id = n.id returning s.id";

struct WriterMetrics {
  explicit WriterMetrics(telemetry::Metrics& m)
      : samples(m.counter("sensus_storage_samples_written_total", "Samples committed.")),
        commits(m.counter("sensus_storage_sample_commits_total", "Group commits of samples.")),
        series_created(
            m.counter("sensus_storage_series_created_total", "Series seen for the first time.")),
        rows(m.counter("sensus_storage_sample_rows_total", "Rows of sample_batches committed.")),
        series_ended(m.counter("sensus_storage_series_ended_total", "Series ended by their senders (stale markers), as often as they were.")),
        series_resumed(m.counter("sensus_storage_series_resumed_total", "Series that had ended and go on with later samples.")) {}
  telemetry::Counter samples;
  telemetry::Counter commits;
  telemetry::Counter series_created;
  telemetry::Counter rows;
  telemetry::Counter series_ended;
  telemetry::Counter series_resumed;
};

/// Finds, revives and creates the series of one flush. New ones are inserted in the order of their
/// fingerprints, so that two writers that meet the same new series wait for each other in one
/// direction only.
class SeriesResolver {
 public:
  SeriesResolver(BulkTx& tx, const SampleFlush& flush) : tx_(tx), flush_(flush) {
    for (std::size_t i = 0; i < flush.new_series.size(); ++i) {
      open_.emplace(model::hash_series_key(flush.new_series[i]), i);
    }
    result_.new_series.resize(flush.new_series.size());
    result_.unseen_s.resize(flush.new_series.size());
    had_ended_.resize(flush.new_series.size());
  }

  Result<FlushResult> run() {
    take(tx_.exec(kFindSeries, open_params()));
    if (!open_.empty()) {
      take(tx_.exec(kReviveSeries, open_params()));
    }
    if (!open_.empty() && flush_.create_max > 0) {
      SENSUS_TRY_VOID(insert());
    }
    return std::move(result_);
  }
  /// Of SampleFlush::new_series: had ended before this flush.
  [[nodiscard]] const std::vector<bool>& had_ended() const { return had_ended_; }

 private:
  [[nodiscard]] Params open_params() const {
    std::vector<std::vector<std::uint8_t>> fingerprints;
    for (const auto& [hash, index] : open_) {
      fingerprints.push_back(to_bytes(hash));
    }
    return Params().integer(flush_.tenant).byteas(fingerprints);
  }

  std::size_t take(const Rows& rows) {
    std::size_t taken = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto found = open_.find(read_hash(rows, i, 1));
      if (found != open_.end()) {
        result_.new_series[found->second] = static_cast<SeriesId>(rows.integer(i, 0));
        result_.unseen_s[found->second] = static_cast<std::uint32_t>(rows.integer(i, 2));
        had_ended_[found->second] = rows.boolean(i, 3);
        open_.erase(found);
        ++taken;
      }
    }
    return taken;
  }

  Result<> insert() {
    // What is over the limit stays without an id.
    while (open_.size() > flush_.create_max) {
      open_.erase(std::prev(open_.end()));
    }
    std::vector<std::string> names;
    std::vector<std::string> labels;
    for (const auto& [hash, index] : open_) {
      const auto name = model::decode_series_key(flush_.new_series[index]);
      if (!name) {
        return make_error(Errc::internal, "a series key cannot be read");
      }
      names.push_back(name->metric_name);
      labels.push_back(codec::render_labels(name->labels));
    }
    result_.created = take(tx_.exec(kInsertSeries, open_params().texts(names).texts(labels)));
    if (!open_.empty()) {
      return make_error(Errc::internal, "series can neither be found nor created");
    }
    return {};
  }

  BulkTx& tx_;
  const SampleFlush& flush_;
  std::map<model::LabelsHash, std::size_t> open_;  ///< Without an id yet; sorted by fingerprint.
  FlushResult result_;
  std::vector<bool> had_ended_;
};

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
    std::size_t rows = 0;
    std::size_t stored = 0;
    EndedSeries ends;
    const pg::BulkSession::Job job = [&](BulkTx& tx) -> Result<> {
      result = {};
      std::vector<bool> had_ended;
      if (!flush.new_series.empty()) {
        SeriesResolver resolver(tx, flush);
        SENSUS_TRY(result, resolver.run());
        had_ended = resolver.had_ended();
      }
      ends = write_ends(tx, flush, result.new_series, had_ended);
      result.ended = ends.ended;
      EncodedSamples samples = encode_samples(flush.tenant, flush.rows, result.new_series);
      rows = samples.rows.rows();
      stored = samples.stored;
      tx.copy(kCopySamples, std::move(samples.rows));
      tx.copy(kCopyOutbox, encode_events(flush.tenant, flush.events));
      return {};
    };
    SENSUS_TRY_VOID(session_.write_blocking(deadline, job));
    metrics_.samples.inc(static_cast<double>(stored));
    metrics_.commits.inc();
    metrics_.series_created.inc(static_cast<double>(result.created));
    metrics_.rows.inc(static_cast<double>(rows));
    metrics_.series_ended.inc(static_cast<double>(ends.newly_ended));
    metrics_.series_resumed.inc(static_cast<double>(ends.resumed));
    result.touched = touch_series(deadline, flush);
    return result;
  }

  void cancel() override { session_.cancel(); }

 private:
  /// Best effort after the commit: a failure shows in the metrics of pg, and the caller comes again.
  std::optional<std::vector<SeriesId>> touch_series(Deadline deadline, const SampleFlush& flush) {
    std::vector<SeriesId> there;
    if (flush.touch.empty()) {
      return there;
    }
    const pg::BulkSession::Job job = [&](BulkTx& tx) -> Result<> {
      there.clear();
      const std::vector<std::int64_t> ids(flush.touch.begin(), flush.touch.end());
      const Rows rows = tx.exec(kTouchSeries, Params().integer(flush.tenant).integers(ids));
      for (std::size_t i = 0; i < rows.size(); ++i) {
        there.push_back(static_cast<SeriesId>(rows.integer(i, 0)));
      }
      return {};
    };
    if (!session_.write_blocking(min(deadline, Deadline::after(1s)), job)) {
      return std::nullopt;
    }
    std::ranges::sort(there);
    return there;
  }

  pg::BulkSession session_;
  WriterMetrics metrics_;
};

}  // namespace

std::unique_ptr<SampleWriter> make_sample_writer(pg::Options options, telemetry::Log log,
                                                 telemetry::Metrics& metrics) {
  return std::make_unique<PgSampleWriter>(options, std::move(log), metrics);
}

}  // namespace sensus::storage
