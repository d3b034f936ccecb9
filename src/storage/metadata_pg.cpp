#include "sensus/storage/metadata.hpp"

#include <algorithm>
#include <array>

namespace sensus::storage {
namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;

// In the order of names, so that two replicas cannot deadlock. `fits`: a family that is known, or
// one of as many new ones as there is room for; the count is what the statement saw at its start,
// so replicas may go over the limit by one request each.
constexpr std::string_view kStore =
    "with given as (select g.*, row_number() over (partition by m.family is null order by "
    "g.family) as n, m.family is null as is_new "
    "from unnest($2::text[], $3::text[], $4::text[], $5::text[]) g(family, type, unit, help) "
    "left join sensus.metric_metadata m on m.tenant_id = $1::int and m.family = g.family), "
    "fits as (select * from given where not is_new "
    "or n <= $6::bigint - (select count(*) from sensus.metric_metadata where tenant_id = "
    "$1::int)), "
    "written as (insert into sensus.metric_metadata as m (tenant_id, family, type, unit, help) "
    "select $1::int, family, type, unit, help from fits order by family "
    "on conflict (tenant_id, family) do update set "
    "type = case excluded.type when 'unknown' then m.type else excluded.type end, "
    "unit = coalesce(nullif(excluded.unit, ''), m.unit), help = coalesce(nullif(excluded.help, "
    "''), m.help), updated_at = now() "
    "where (excluded.type <> 'unknown' and excluded.type <> m.type) or (excluded.unit <> '' and "
    "excluded.unit <> m.unit) "
    "or (excluded.help <> '' and excluded.help <> m.help) returning 1) "
    "select (select count(*) from written), (select count(*) from given) - (select count(*) from "
    "fits)";
constexpr std::string_view kList =
    "select family, type, unit, help from sensus.metric_metadata where tenant_id = $1::int and "
    "($2::text = '' or family = $2) "
    "order by family limit $3::bigint";
constexpr std::string_view kNamed =
    "select family, type, unit, help from sensus.metric_metadata where tenant_id = $1::int and "
    "family = any($2::text[])";

std::vector<model::MetricMetadata> read_metadata(const Rows& rows) {
  std::vector<model::MetricMetadata> out;
  out.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.push_back({std::string(rows.text(i, 0)),
                   model::parse_metric_type(rows.text(i, 1)).value_or(model::MetricType::unknown),
                   std::string(rows.text(i, 2)), std::string(rows.text(i, 3))});
  }
  return out;
}

Params store_params(TenantId tenant, const std::vector<model::MetricMetadata>& families,
                    std::size_t families_max) {
  std::array<std::vector<std::string>, 4> columns;
  for (const model::MetricMetadata& one : families) {
    columns[0].push_back(one.family);
    columns[1].emplace_back(to_string(one.type));
    columns[2].push_back(one.unit);
    columns[3].push_back(one.help);
  }
  Params params;
  params.integer(tenant);
  for (const std::vector<std::string>& column : columns) {
    params.texts(column);
  }
  params.integer(static_cast<std::int64_t>(families_max));
  return params;
}

MetadataStore::ByMetric load_of_metrics(Tx& tx, TenantId tenant,
                                        const std::vector<std::string>& metric_names) {
  std::vector<std::string> candidates;
  for (const std::string& name : metric_names) {
    for (const std::string_view family : model::family_candidates(name)) {
      if (!family.empty()) {
        candidates.emplace_back(family);
      }
    }
  }
  MetadataStore::ByMetric families;
  for (model::MetricMetadata& one :
       read_metadata(tx.exec(kNamed, Params().integer(tenant).texts(candidates)))) {
    std::string family = one.family;
    families.emplace(std::move(family), std::move(one));
  }
  MetadataStore::ByMetric out;
  for (const std::string& name : metric_names) {
    for (const std::string_view family : model::family_candidates(name)) {
      const auto found = families.find(family);
      if (found != families.end() && model::belongs_to(name, family, found->second.type)) {
        out.emplace(name, found->second);
        break;
      }
    }
  }
  return out;
}

class PgMetadataStore final : public MetadataStore {
 public:
  explicit PgMetadataStore(pg::Database& database) : database_(database) {}

  runtime::Async<Stored> store(Deadline deadline, TenantId tenant,
                               std::vector<model::MetricMetadata> families,
                               std::size_t families_max) override {
    std::function<Result<Stored>(Tx&)> job = [tenant, families = std::move(families),
                                              families_max](Tx& tx) -> Result<Stored> {
      const Rows rows = tx.exec(kStore, store_params(tenant, families, families_max));
      return Stored{static_cast<std::size_t>(rows.integer(0, 0)),
                    static_cast<std::size_t>(rows.integer(0, 1))};
    };
    auto stored = co_await database_.transact<Stored>(deadline, Access::read_write, std::move(job));
    co_return stored;
  }

  runtime::Async<std::vector<model::MetricMetadata>> list(Deadline deadline, TenantId tenant,
                                                          MetadataQuery query) override {
    using Families = std::vector<model::MetricMetadata>;
    std::function<Result<Families>(Tx&)> job = [tenant, query](Tx& tx) -> Result<Families> {
      return read_metadata(tx.exec(kList, Params()
                                              .integer(tenant)
                                              .text(query.family)
                                              .integer(static_cast<std::int64_t>(query.limit))));
    };
    auto families =
        co_await database_.transact<Families>(deadline, Access::read_only, std::move(job));
    co_return families;
  }

  runtime::Async<ByMetric> of_metrics(Deadline deadline, TenantId tenant,
                                      std::vector<std::string> metric_names) override {
    if (metric_names.empty()) {
      co_return ByMetric{};
    }
    std::function<Result<ByMetric>(Tx&)> job =
        [tenant, names = std::move(metric_names)](Tx& tx) -> Result<ByMetric> {
      return load_of_metrics(tx, tenant, names);
    };
    auto found = co_await database_.transact<ByMetric>(deadline, Access::read_only, std::move(job));
    co_return found;
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<MetadataStore> make_metadata_store(pg::Database& database) {
  return std::make_unique<PgMetadataStore>(database);
}

}  // namespace sensus::storage
