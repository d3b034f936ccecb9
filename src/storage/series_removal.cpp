#include "storage/series_removal_internal.hpp"

#include <optional>

namespace sensus::storage {
namespace {

/// Of one transaction: some hundred milliseconds where all are idle.
constexpr std::int64_t kLooksMax = 5000;

struct Step {
  std::int64_t tenant = 0;
  std::optional<std::int64_t> last;  ///< Without one there was nothing more to look at.
  std::int64_t looked = 0;
  std::int64_t removed = 0;
};

Step remove_some(pg::Tx& tx, std::int64_t tenant, std::int64_t id) {
  const pg::Rows rows = tx.exec("select last_tenant, last_id, looked, removed from sensus.remove_idle_series($1::int, $2::int, $3::int)",
                                pg::Params().integer(tenant).integer(id).integer(kLooksMax));
  Step step;
  if (!rows.empty() && !rows.is_null(0, 1)) {
    step.tenant = rows.integer(0, 0);
    step.last = rows.integer(0, 1);
    step.looked = rows.integer(0, 2);
    step.removed = rows.integer(0, 3);
  }
  return step;
}

}  // namespace

SeriesRemoval::SeriesRemoval(UpkeepSession& session, telemetry::Metrics& metrics)
    : session_(session),
      removed_(metrics.counter("sensus_storage_series_removed_total", "Series removed because none of their samples is kept.")) {}

runtime::Async<std::int64_t> SeriesRemoval::run(std::int64_t looks) {
  std::int64_t removed = 0;
  for (std::int64_t looked = 0; looked < looks;) {
    std::function<Step(pg::Tx&)> job = [tenant = tenant_, id = id_](pg::Tx& tx) { return remove_some(tx, tenant, id); };
    const auto step = co_await session_.run<Step>(std::move(job));
    if (!step) {
      co_return step.error();
    }
    removed += step->removed;
    removed_.inc(static_cast<double>(step->removed));
    looked += step->looked;
    if (!step->last) {
      tenant_ = 0;
      id_ = 0;
      break;
    }
    tenant_ = step->tenant;
    id_ = *step->last;
  }
  co_return removed;
}

}  // namespace sensus::storage
