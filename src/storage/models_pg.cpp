#include "sensus/storage/analyses.hpp"

#include "storage/sql_internal.hpp"

namespace sensus::storage {
namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;
using model::ModelVersion;

const std::string kColumns =
    "m.id, m.version, m.algorithm, m.parameters, m.training_date, m.is_active, m.profile, m.training_from, m.training_to, m.quality, "
    "m.checksum, m.is_pinned";
/// Of the row as it is. jsonb prints the same text for the same value.
const std::string kChecksum =
    "encode(sha256(convert_to(jsonb_build_array(m.algorithm, m.version, m.profile, m.parameters)::text, 'UTF8')), 'hex')";

// Two replicas that activate at once: the second waits, and wins.
constexpr std::string_view kLock =
    "select pg_advisory_xact_lock(hashtextextended('model_versions/' || $1::text || '/' || $2, 0))";
constexpr std::string_view kDeactivate =
    "update sensus.model_versions set is_active = false, is_pinned = false where tenant_id = $1::int and algorithm = $2 and is_active";
const std::string kInsert =
    "insert into sensus.model_versions as m (tenant_id, version, algorithm, parameters, training_date, is_active, profile, "
    "training_from, training_to, quality, is_pinned) values ($1::int, $2, $3, $4::jsonb, $5::timestamptz, $6::boolean, $7, $8::timestamptz, "
    "$9::timestamptz, $10::jsonb, $11::boolean) on conflict (tenant_id, algorithm, version) do update set is_active = excluded.is_active, "
    "parameters = excluded.parameters, training_date = excluded.training_date, profile = excluded.profile, "
    "training_from = excluded.training_from, training_to = excluded.training_to, quality = excluded.quality, is_pinned = excluded.is_pinned returning m.id";
const std::string kSeal = "update sensus.model_versions m set checksum = " + kChecksum +
                          " where m.tenant_id = $1::int and m.id = $2::bigint returning " + kColumns;
const std::string kGet = "select " + kColumns + ", m.checksum in ('', " + kChecksum +
                         ") from sensus.model_versions m where m.tenant_id = $1::int and m.id = $2::bigint";
const std::string kActive =
    "select " + kColumns + " from sensus.model_versions m where m.tenant_id = $1::int and m.algorithm = $2 and m.is_active";
const std::string kActivate =
    "update sensus.model_versions m set is_active = true, is_pinned = true where m.tenant_id = $1::int and m.id = $2::bigint returning " +
    kColumns;
constexpr std::string_view kSetQuality =
    "update sensus.model_versions set quality = $3::jsonb, training_from = $4::timestamptz, training_to = $5::timestamptz "
    "where tenant_id = $1::int and id = $2::bigint";
constexpr std::string_view kPurge =
    "delete from sensus.model_versions where tenant_id = $1::int and algorithm = $2 and not is_active and id not in (select id from "
    "sensus.model_versions where tenant_id = $1::int and algorithm = $2 order by training_date desc, id desc limit $3::bigint)";
const std::string kList = "select " + kColumns +
                          " from sensus.model_versions m where m.tenant_id = $1::int and ($2::timestamptz is null or "
                          "(m.training_date, m.id) < ($2, $3::bigint)) order by m.training_date desc, m.id desc limit $4::bigint";

ModelVersion read_version(const Rows& rows, std::size_t row) {
  ModelVersion v;
  v.id = rows.integer(row, 0);
  v.version = rows.text(row, 1);
  v.algorithm = rows.text(row, 2);
  v.parameters_json = rows.text(row, 3);
  v.training_date = rows.time(row, 4);
  v.is_active = rows.boolean(row, 5);
  v.profile = rows.text(row, 6);
  v.training_from = rows.time_or_null(row, 7);
  v.training_to = rows.time_or_null(row, 8);
  v.quality_json = rows.text(row, 9);
  v.checksum = rows.text(row, 10);
  v.is_pinned = rows.boolean(row, 11);
  return v;
}

Error no_version(std::int64_t id) { return make_error(Errc::not_found, "there is no model version " + std::to_string(id)); }

Result<ModelVersion> insert(Tx& tx, TenantId tenant, const ModelVersion& version, bool is_active) {
  (void)tx.exec(kLock, Params().integer(tenant).text(version.algorithm));
  if (is_active) {
    (void)tx.exec(kDeactivate, Params().integer(tenant).text(version.algorithm));
  }
  Params params;
  params.integer(tenant).text(version.version).text(version.algorithm).text(version.parameters_json).time(version.training_date);
  params.boolean(is_active).text(version.profile).time_or_null(version.training_from).time_or_null(version.training_to);
  const Rows rows = tx.exec(kInsert, params.text(version.quality_json.empty() ? "{}" : version.quality_json).boolean(version.is_pinned));
  return read_version(tx.exec(kSeal, Params().integer(tenant).integer(rows.integer(0, 0))), 0);
}

Result<ModelVersion> activate_version(Tx& tx, TenantId tenant, std::int64_t id) {
  const Rows found = tx.exec(kGet, Params().integer(tenant).integer(id));
  if (found.empty()) {
    return no_version(id);
  }
  if (!found.boolean(0, 12)) {
    return make_error(Errc::corrupt, "the checksum of model version " + std::to_string(id) + " does not hold: it was changed or damaged");
  }
  const std::string algorithm(found.text(0, 2));
  (void)tx.exec(kLock, Params().integer(tenant).text(algorithm));
  (void)tx.exec(kDeactivate, Params().integer(tenant).text(algorithm));
  return read_version(tx.exec(kActivate, Params().integer(tenant).integer(id)), 0);
}

class PgModelStore final : public ModelStore {
 public:
  explicit PgModelStore(pg::Database& database) : database_(database) {}

  runtime::Async<ModelVersion> publish(Deadline deadline, TenantId tenant, ModelVersion version) override {
    std::function<Result<ModelVersion>(Tx&)> job = [tenant, version = std::move(version)](Tx& tx) {
      return insert(tx, tenant, version, true);
    };
    auto stored = co_await database_.transact<ModelVersion>(deadline, Access::read_write, std::move(job));
    co_return stored;
  }

  runtime::Async<ModelVersion> add(Deadline deadline, TenantId tenant, ModelVersion version) override {
    std::function<Result<ModelVersion>(Tx&)> job = [tenant, version = std::move(version)](Tx& tx) {
      return insert(tx, tenant, version, false);
    };
    auto stored = co_await database_.transact<ModelVersion>(deadline, Access::read_write, std::move(job));
    co_return stored;
  }

  runtime::Async<ModelVersion> get(Deadline deadline, TenantId tenant, std::int64_t id) override {
    std::function<Result<ModelVersion>(Tx&)> job = [tenant, id](Tx& tx) -> Result<ModelVersion> {
      const Rows rows = tx.exec(kGet, Params().integer(tenant).integer(id));
      return rows.empty() ? Result<ModelVersion>(no_version(id)) : Result<ModelVersion>(read_version(rows, 0));
    };
    auto version = co_await database_.transact<ModelVersion>(deadline, Access::read_only, std::move(job));
    co_return version;
  }

  runtime::Async<ModelVersion> active(Deadline deadline, TenantId tenant, std::string algorithm) override {
    std::function<Result<ModelVersion>(Tx&)> job = [tenant, algorithm = std::move(algorithm)](Tx& tx) -> Result<ModelVersion> {
      const Rows rows = tx.exec(kActive, Params().integer(tenant).text(algorithm));
      if (rows.empty()) {
        return make_error(Errc::not_found, "no version of " + algorithm + " is active");
      }
      return read_version(rows, 0);
    };
    auto version = co_await database_.transact<ModelVersion>(deadline, Access::read_only, std::move(job));
    co_return version;
  }

  runtime::Async<ModelVersion> activate(Deadline deadline, TenantId tenant, std::int64_t id) override {
    std::function<Result<ModelVersion>(Tx&)> job = [tenant, id](Tx& tx) { return activate_version(tx, tenant, id); };
    auto version = co_await database_.transact<ModelVersion>(deadline, Access::read_write, std::move(job));
    co_return version;
  }

  runtime::Async<> set_quality(Deadline deadline, TenantId tenant, std::int64_t id, std::string quality_json, Timestamp from,
                               Timestamp to) override {
    std::function<Result<bool>(Tx&)> job = [=](Tx& tx) -> Result<bool> {
      const Rows rows = tx.exec(kSetQuality, Params().integer(tenant).integer(id).text(quality_json).time(from).time(to));
      return rows.affected() == 1 ? Result<bool>(true) : Result<bool>(no_version(id));
    };
    Result<bool> set = co_await database_.transact<bool>(deadline, Access::read_write, std::move(job));
    if (!set) {
      co_return std::move(set).error();
    }
    co_return Result<>{};
  }

  runtime::Async<std::size_t> purge(Deadline deadline, TenantId tenant, std::string algorithm, std::size_t keep) override {
    std::function<Result<std::size_t>(Tx&)> job = [tenant, algorithm = std::move(algorithm), keep](Tx& tx) -> Result<std::size_t> {
      return tx.exec(kPurge, Params().integer(tenant).text(algorithm).integer(static_cast<std::int64_t>(keep))).affected();
    };
    auto purged = co_await database_.transact<std::size_t>(deadline, Access::read_write, std::move(job));
    co_return purged;
  }

  runtime::Async<Page<ModelVersion>> list(Deadline deadline, TenantId tenant, std::size_t limit,
                                          std::optional<model::PageKey> after) override {
    std::function<Result<Page<ModelVersion>>(Tx&)> job = [tenant, limit, after](Tx& tx) -> Result<Page<ModelVersion>> {
      Params params;
      params.integer(tenant);
      add_page_key(params, after);
      const Rows rows = tx.exec(kList, params.integer(static_cast<std::int64_t>(limit) + 1));
      std::vector<ModelVersion> found;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        found.push_back(read_version(rows, i));
      }
      return make_page(std::move(found), limit, [](const ModelVersion& v) { return model::PageKey{v.training_date, v.id}; });
    };
    auto page = co_await database_.transact<Page<ModelVersion>>(deadline, Access::read_only, std::move(job));
    co_return page;
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<ModelStore> make_model_store(pg::Database& database) { return std::make_unique<PgModelStore>(database); }

}  // namespace sensus::storage
