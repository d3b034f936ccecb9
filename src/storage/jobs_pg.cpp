#include "sensus/storage/jobs.hpp"

#include "sensus/codec/model_json.hpp"
#include "storage/sql_internal.hpp"

#include <stdexcept>

namespace sensus::storage {
namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;
using MaybeJob = std::optional<model::Job>;

const std::string kColumns =
    "j.id, j.kind, j.parameters, j.due_at, j.state, j.progress, j.result, j.error, j.created_at, j.started_at, j.finished_at";

// Replicas take turns: "one runs at a time" and "at most so many wait" are decided on what all of them did.
constexpr std::string_view kLock = "select pg_advisory_xact_lock(hashtextextended('jobs/' || $1::text, 0))";
constexpr std::string_view kQueued = "select count(*) from sensus.jobs where tenant_id = $1::int and state = 'queued'";
const std::string kInsert =
    "insert into sensus.jobs as j (tenant_id, kind, parameters, due_at) values ($1::int, $2, $3::jsonb, $4::timestamptz) "
    "on conflict (tenant_id, kind, due_at) where due_at is not null do nothing returning " + kColumns;
const std::string kGet = "select " + kColumns + " from sensus.jobs j where j.tenant_id = $1::int and j.id = $2::bigint";
const std::string kList = "select " + kColumns +
                          " from sensus.jobs j where j.tenant_id = $1::int and ($2::timestamptz is null or (j.created_at, j.id) < "
                          "($2, $3::bigint)) order by j.created_at desc, j.id desc limit $4::bigint";
const std::string kGiveUp =
    "update sensus.jobs j set state = 'failed', finished_at = now(), error = 'given up: whoever ran it went away, three times' "
    "where j.tenant_id = $1::int and j.state = 'running' and j.lease_until < now() and j.attempts >= $2::int returning " + kColumns;
const std::string kClaim =
    "update sensus.jobs j set state = 'running', owner = $2, lease_until = now() + make_interval(secs => $3::float8), "
    "attempts = j.attempts + 1, progress = 0, started_at = now() where j.tenant_id = $1::int and j.id = ("
    "select n.id from sensus.jobs n where n.tenant_id = $1::int and (n.state = 'queued' or (n.state = 'running' and "
    "n.lease_until < now())) and not exists (select from sensus.jobs r where r.tenant_id = $1::int and r.state = 'running' and "
    "r.lease_until >= now()) order by n.id limit 1) returning " + kColumns;
constexpr std::string_view kKeep =
    "update sensus.jobs set progress = $4::float8, lease_until = now() + make_interval(secs => $5::float8) "
    "where tenant_id = $1::int and id = $2::bigint and owner = $3 and state = 'running'";
const std::string kFinish =
    "update sensus.jobs j set state = $4, result = $5::jsonb, error = $6, finished_at = now(), lease_until = null, "
    "progress = case when $4 = 'done' then 1 else j.progress end "
    "where j.tenant_id = $1::int and j.id = $2::bigint and j.owner = $3 and j.state = 'running' returning " + kColumns;
constexpr std::string_view kForget =
    "delete from sensus.jobs where tenant_id = $1::int and finished_at < now() - interval '90 days'";
constexpr std::string_view kLastDue = "select max(due_at) from sensus.jobs where tenant_id = $1::int and kind = $2";

template <class T>
T known(std::optional<T> value) {
  if (!value) {
    throw std::logic_error("a job has a kind or state that this program does not know");
  }
  return *value;
}

model::Job read_job(const Rows& rows, std::size_t row) {
  model::Job job;
  job.id = rows.integer(row, 0);
  job.kind = known(model::parse_job_kind(rows.text(row, 1)));
  job.parameters_json = rows.text(row, 2);
  job.due_at = rows.time_or_null(row, 3);
  job.state = known(model::parse_job_state(rows.text(row, 4)));
  job.progress = rows.number(row, 5);
  job.result_json = rows.is_null(row, 6) ? std::string() : std::string(rows.text(row, 6));
  job.error = rows.text(row, 7);
  job.created_at = rows.time(row, 8);
  job.started_at = rows.time_or_null(row, 9);
  job.finished_at = rows.time_or_null(row, 10);
  return job;
}

/// The jobs of `rows` as events of the live feed; returns them.
std::vector<model::Job> announce(Tx& tx, TenantId tenant, const Rows& rows) {
  std::vector<model::Job> jobs;
  std::vector<model::NewEvent> events;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    jobs.push_back(read_job(rows, i));
    events.push_back({model::Topic::events, "job", codec::render_job(jobs.back())});
  }
  store_events(tx, tenant, events);
  return jobs;
}

Result<model::Job> insert(Tx& tx, TenantId tenant, const NewJob& job) {
  (void)tx.exec(kLock, Params().integer(tenant));
  if (tx.exec(kQueued, Params().integer(tenant)).integer(0, 0) >= JobStore::kQueuedMax) {
    return make_error(Errc::overloaded, "enough jobs wait already; look at /api/v1/jobs");
  }
  const Rows rows = tx.exec(
      kInsert, Params().integer(tenant).text(model::to_string(job.kind)).text(job.parameters_json).time_or_null(job.due_at));
  if (rows.empty()) {
    return make_error(Errc::already_exists, "the schedule's job was made before");
  }
  return announce(tx, tenant, rows).front();
}

Result<MaybeJob> claim_next(Tx& tx, TenantId tenant, const std::string& owner, std::chrono::seconds lease) {
  (void)tx.exec(kLock, Params().integer(tenant));
  (void)announce(tx, tenant, tx.exec(kGiveUp, Params().integer(tenant).integer(JobStore::kAttemptsMax)));
  const Rows rows = tx.exec(kClaim, Params().integer(tenant).text(owner).number(static_cast<double>(lease.count())));
  std::vector<model::Job> claimed = announce(tx, tenant, rows);
  return claimed.empty() ? MaybeJob() : MaybeJob(std::move(claimed.front()));
}

class PgJobStore final : public JobStore {
 public:
  explicit PgJobStore(pg::Database& database) : database_(database) {}

  runtime::Async<model::Job> create(Deadline deadline, TenantId tenant, NewJob job) override {
    std::function<Result<model::Job>(Tx&)> work = [tenant, job = std::move(job)](Tx& tx) { return insert(tx, tenant, job); };
    auto created = co_await database_.transact<model::Job>(deadline, Access::read_write, std::move(work));
    co_return created;
  }

  runtime::Async<model::Job> get(Deadline deadline, TenantId tenant, std::int64_t id) override {
    std::function<Result<model::Job>(Tx&)> work = [tenant, id](Tx& tx) -> Result<model::Job> {
      const Rows rows = tx.exec(kGet, Params().integer(tenant).integer(id));
      if (rows.empty()) {
        return make_error(Errc::not_found, "there is no job " + std::to_string(id));
      }
      return read_job(rows, 0);
    };
    auto job = co_await database_.transact<model::Job>(deadline, Access::read_only, std::move(work));
    co_return job;
  }

  runtime::Async<Page<model::Job>> list(Deadline deadline, TenantId tenant, std::size_t limit,
                                        std::optional<model::PageKey> after) override {
    std::function<Result<Page<model::Job>>(Tx&)> work = [tenant, limit, after](Tx& tx) -> Result<Page<model::Job>> {
      Params params;
      params.integer(tenant);
      add_page_key(params, after);
      const Rows rows = tx.exec(kList, params.integer(static_cast<std::int64_t>(limit) + 1));
      std::vector<model::Job> jobs;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        jobs.push_back(read_job(rows, i));
      }
      return make_page(std::move(jobs), limit, [](const model::Job& job) { return model::PageKey{job.created_at, job.id}; });
    };
    auto page = co_await database_.transact<Page<model::Job>>(deadline, Access::read_only, std::move(work));
    co_return page;
  }

  runtime::Async<MaybeJob> claim(Deadline deadline, TenantId tenant, std::string owner, std::chrono::seconds lease) override {
    std::function<Result<MaybeJob>(Tx&)> work = [tenant, owner = std::move(owner), lease](Tx& tx) {
      return claim_next(tx, tenant, owner, lease);
    };
    auto claimed = co_await database_.transact<MaybeJob>(deadline, Access::read_write, std::move(work));
    co_return claimed;
  }

  runtime::Async<bool> keep(Deadline deadline, TenantId tenant, std::int64_t id, std::string owner, double progress,
                            std::chrono::seconds lease) override {
    std::function<Result<bool>(Tx&)> work = [=](Tx& tx) -> Result<bool> {
      return tx.exec(kKeep, Params().integer(tenant).integer(id).text(owner).number(progress).number(static_cast<double>(lease.count())))
                 .affected() == 1;
    };
    auto kept = co_await database_.transact<bool>(deadline, Access::read_write, std::move(work));
    co_return kept;
  }

  runtime::Async<> finish(Deadline deadline, TenantId tenant, std::int64_t id, std::string owner,
                          Result<std::string> result_json) override {
    std::function<Result<bool>(Tx&)> work = [=](Tx& tx) -> Result<bool> {
      Params params;
      params.integer(tenant).integer(id).text(owner);
      if (result_json) {
        params.text("done").text(*result_json).text("");
      } else {
        params.text("failed").null().text(result_json.error().message);
      }
      (void)announce(tx, tenant, tx.exec(kFinish, params));
      (void)tx.exec(kForget, Params().integer(tenant));
      return true;
    };
    Result<bool> finished = co_await database_.transact<bool>(deadline, Access::read_write, std::move(work));
    if (!finished) {
      co_return std::move(finished).error();
    }
    co_return Result<>{};
  }

  runtime::Async<std::optional<Timestamp>> last_due(Deadline deadline, TenantId tenant, model::JobKind kind) override {
    std::function<Result<std::optional<Timestamp>>(Tx&)> work = [tenant, kind](Tx& tx) -> Result<std::optional<Timestamp>> {
      return tx.exec(kLastDue, Params().integer(tenant).text(model::to_string(kind))).time_or_null(0, 0);
    };
    auto due = co_await database_.transact<std::optional<Timestamp>>(deadline, Access::read_only, std::move(work));
    co_return due;
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<JobStore> make_job_store(pg::Database& database) { return std::make_unique<PgJobStore>(database); }

}  // namespace sensus::storage
