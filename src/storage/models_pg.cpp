#include "sensus/storage/analyses.hpp"

#include "storage/sql_internal.hpp"

namespace sensus::storage {
namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;

constexpr std::string_view kDeactivate =
    "update sensus.model_versions set is_active = false where tenant_id = $1::int and algorithm = "
    "$2 and is_active";
constexpr std::string_view kInsert =
    "insert into sensus.model_versions (tenant_id, version, algorithm, parameters, training_date, "
    "is_active) "
    "values ($1::int, $2, $3, $4::jsonb, $5::timestamptz, true) on conflict (tenant_id, algorithm, "
    "version) do update "
    "set is_active = true, parameters = excluded.parameters, training_date = "
    "excluded.training_date returning id";
constexpr std::string_view kList =
    "select id, version, algorithm, parameters, training_date, is_active from "
    "sensus.model_versions where tenant_id = $1::int "
    "and ($2::timestamptz is null or (training_date, id) < ($2, $3::bigint)) order by "
    "training_date desc, id desc limit $4::bigint";

model::ModelVersion read_version(const Rows& rows, std::size_t row) {
  model::ModelVersion v;
  v.id = rows.integer(row, 0);
  v.version = rows.text(row, 1);
  v.algorithm = rows.text(row, 2);
  v.parameters_json = rows.text(row, 3);
  v.training_date = rows.time(row, 4);
  v.is_active = rows.boolean(row, 5);
  return v;
}

class PgModelStore final : public ModelStore {
 public:
  explicit PgModelStore(pg::Database& database) : database_(database) {}

  runtime::Async<model::ModelVersion> publish(Deadline deadline, TenantId tenant,
                                              model::ModelVersion version) override {
    std::function<Result<model::ModelVersion>(Tx&)> job =
        [tenant, version = std::move(version)](Tx& tx) -> Result<model::ModelVersion> {
      // Two replicas that publish at once: the second waits, and wins.
      (void)tx.exec(
          "select pg_advisory_xact_lock(hashtextextended('model_versions/' || $1::text || '/' || "
          "$2, 0))",
          Params().integer(tenant).text(version.algorithm));
      (void)tx.exec(kDeactivate, Params().integer(tenant).text(version.algorithm));
      const Rows rows = tx.exec(kInsert, Params()
                                             .integer(tenant)
                                             .text(version.version)
                                             .text(version.algorithm)
                                             .text(version.parameters_json)
                                             .time(version.training_date));
      model::ModelVersion stored = version;
      stored.id = rows.integer(0, 0);
      stored.is_active = true;
      return stored;
    };
    auto stored = co_await database_.transact<model::ModelVersion>(deadline, Access::read_write,
                                                                   std::move(job));
    co_return stored;
  }

  runtime::Async<Page<model::ModelVersion>> list(Deadline deadline, TenantId tenant,
                                                 std::size_t limit,
                                                 std::optional<model::PageKey> after) override {
    std::function<Result<Page<model::ModelVersion>>(Tx&)> job =
        [tenant, limit, after](Tx& tx) -> Result<Page<model::ModelVersion>> {
      Params params;
      params.integer(tenant);
      add_page_key(params, after);
      const Rows rows = tx.exec(kList, params.integer(static_cast<std::int64_t>(limit) + 1));
      std::vector<model::ModelVersion> found;
      for (std::size_t i = 0; i < rows.size(); ++i) {
        found.push_back(read_version(rows, i));
      }
      return make_page(std::move(found), limit, [](const model::ModelVersion& v) {
        return model::PageKey{v.training_date, v.id};
      });
    };
    auto page = co_await database_.transact<Page<model::ModelVersion>>(deadline, Access::read_only,
                                                                       std::move(job));
    co_return page;
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<ModelStore> make_model_store(pg::Database& database) {
  return std::make_unique<PgModelStore>(database);
}

}  // namespace sensus::storage
