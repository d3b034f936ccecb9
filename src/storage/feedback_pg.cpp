#include "sensus/storage/feedback.hpp"

namespace sensus::storage {
namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;

constexpr std::string_view kAdd =
    "insert into sensus.anomaly_feedback as f (tenant_id, anomaly_id, series_id, verdict, evidence, comment) "
    "select r.tenant_id, r.id, r.series_id, $3, coalesce((r.analysis_data ->> 'evidence')::float8, 0), $4 "
    "from sensus.ai_analysis_results r where r.tenant_id = $1::int and r.id = $2::bigint and r.analysis_type = 'anomaly_detection' "
    "returning f.id, f.anomaly_id, f.series_id, f.verdict, f.evidence, f.comment";
constexpr std::string_view kPending =
    "select f.id, f.anomaly_id, f.series_id, f.verdict, f.evidence, f.comment from sensus.anomaly_feedback f "
    "where f.tenant_id = $1::int and f.applied_at is null and f.created_at > now() - interval '90 days' order by f.id limit $2::bigint";
constexpr std::string_view kApplied =
    "update sensus.anomaly_feedback set applied_at = now() where tenant_id = $1::int and id = any($2::bigint[])";
constexpr std::string_view kRenew =
    "update sensus.anomaly_feedback set applied_at = null where tenant_id = $1::int and series_id = any($2::int[]) and applied_at is not null";

Feedback read_feedback(const Rows& rows, std::size_t row) {
  Feedback feedback;
  feedback.id = rows.integer(row, 0);
  feedback.anomaly = rows.integer(row, 1);
  feedback.series = static_cast<SeriesId>(rows.integer(row, 2));
  feedback.verdict = rows.text(row, 3);
  feedback.evidence = rows.number(row, 4);
  feedback.comment = rows.text(row, 5);
  return feedback;
}

class PgFeedbackStore final : public FeedbackStore {
 public:
  explicit PgFeedbackStore(pg::Database& database) : database_(database) {}

  runtime::Async<Feedback> add(Deadline deadline, TenantId tenant, AnalysisId anomaly, std::string verdict, std::string comment) override {
    std::function<Result<Feedback>(Tx&)> job = [tenant, anomaly, verdict = std::move(verdict),
                                                comment = std::move(comment)](Tx& tx) -> Result<Feedback> {
      const Rows rows = tx.exec(kAdd, Params().integer(tenant).integer(anomaly).text(verdict).text(comment));
      if (rows.empty()) {
        return make_error(Errc::not_found, "there is no anomaly " + std::to_string(anomaly));
      }
      return read_feedback(rows, 0);
    };
    auto added = co_await database_.transact<Feedback>(deadline, Access::read_write, std::move(job));
    co_return added;
  }

  runtime::Async<std::vector<Feedback>> pending(Deadline deadline, TenantId tenant, std::size_t limit) override {
    std::function<Result<std::vector<Feedback>>(Tx&)> job = [tenant, limit](Tx& tx) -> Result<std::vector<Feedback>> {
      const Rows rows = tx.exec(kPending, Params().integer(tenant).integer(static_cast<std::int64_t>(limit)));
      std::vector<Feedback> found;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        found.push_back(read_feedback(rows, i));
      }
      return found;
    };
    auto found = co_await database_.transact<std::vector<Feedback>>(deadline, Access::read_only, std::move(job));
    co_return found;
  }

  runtime::Async<> mark_applied(Deadline deadline, TenantId tenant, std::vector<std::int64_t> ids) override {
    std::function<Result<bool>(Tx&)> job = [tenant, ids = std::move(ids)](Tx& tx) -> Result<bool> {
      (void)tx.exec(kApplied, Params().integer(tenant).integers(ids));
      return true;
    };
    Result<bool> marked = co_await database_.transact<bool>(deadline, Access::read_write, std::move(job));
    co_return marked ? Result<>{} : Result<>(std::move(marked).error());
  }

  runtime::Async<> renew(Deadline deadline, TenantId tenant, std::vector<SeriesId> series) override {
    std::function<Result<bool>(Tx&)> job = [tenant, ids = std::vector<std::int64_t>(series.begin(), series.end())](Tx& tx) -> Result<bool> {
      (void)tx.exec(kRenew, Params().integer(tenant).integers(ids));
      return true;
    };
    Result<bool> renewed = co_await database_.transact<bool>(deadline, Access::read_write, std::move(job));
    co_return renewed ? Result<>{} : Result<>(std::move(renewed).error());
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<FeedbackStore> make_feedback_store(pg::Database& database) { return std::make_unique<PgFeedbackStore>(database); }

}  // namespace sensus::storage
