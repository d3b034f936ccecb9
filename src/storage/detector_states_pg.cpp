#include "sensus/storage/detector_states.hpp"

#include <cstdint>

namespace sensus::storage {
namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;

// In order of the series: two writers cannot deadlock.
constexpr std::string_view kSave =
    "insert into sensus.detector_states as d (tenant_id, model_key, series_id, last_time, state) "
    "select $1::int, $2, x.series, x.time, x.state "
    "from unnest($3::int[], $4::timestamptz[], $5::bytea[]) x(series, time, state) order by "
    "x.series "
    "on conflict (tenant_id, model_key, series_id) do update set last_time = excluded.last_time, "
    "saved_at = now(), state = excluded.state where d.last_time <= excluded.last_time";
constexpr std::string_view kLoad =
    "select series_id, last_time, state from sensus.detector_states where tenant_id = $1::int and "
    "model_key = $2 and series_id = any($3::int[]) order by series_id";
constexpr std::string_view kPurge =
    "delete from sensus.detector_states where (tenant_id, model_key, series_id) in (select "
    "tenant_id, "
    "model_key, series_id from sensus.detector_states where tenant_id = $1::int and saved_at < "
    "now() - "
    "make_interval(hours => $2::int) order by saved_at limit $3::bigint for update skip locked)";

Params save_params(TenantId tenant, const std::string& model_key,
                   const std::vector<DetectorState>& states) {
  std::vector<std::int64_t> series;
  std::vector<Timestamp> times;
  std::vector<std::vector<std::uint8_t>> bytes;
  for (const DetectorState& state : states) {
    series.push_back(state.series);
    times.push_back(state.last_time);
    bytes.emplace_back(state.bytes.begin(), state.bytes.end());
  }
  Params params;
  params.integer(tenant).text(model_key).integers(series).times(times).byteas(bytes);
  return params;
}

class PgDetectorStateStore final : public DetectorStateStore {
 public:
  explicit PgDetectorStateStore(pg::Database& database) : database_(database) {}

  runtime::Async<std::size_t> save(Deadline deadline, TenantId tenant, std::string model_key,
                                   std::vector<DetectorState> states) override {
    const auto shared = std::make_shared<const std::vector<DetectorState>>(std::move(states));
    std::function<Result<std::size_t>(Tx&)> job = [tenant, model_key = std::move(model_key),
                                                   shared](Tx& tx) -> Result<std::size_t> {
      return tx.exec(kSave, save_params(tenant, model_key, *shared)).affected();
    };
    auto saved =
        co_await database_.transact<std::size_t>(deadline, Access::read_write, std::move(job));
    co_return saved;
  }

  runtime::Async<std::vector<DetectorState>> load(Deadline deadline, TenantId tenant,
                                                  std::string model_key,
                                                  std::vector<SeriesId> series) override {
    std::function<Result<std::vector<DetectorState>>(Tx&)> job =
        [tenant, model_key = std::move(model_key),
         ids = std::vector<std::int64_t>(series.begin(), series.end())](
            Tx& tx) -> Result<std::vector<DetectorState>> {
      const Rows rows = tx.exec(kLoad, Params().integer(tenant).text(model_key).integers(ids));
      std::vector<DetectorState> states;
      states.reserve(rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        const std::vector<std::uint8_t> bytes = rows.bytes(i, 2);
        states.push_back({static_cast<SeriesId>(rows.integer(i, 0)), rows.time(i, 1),
                          std::string(bytes.begin(), bytes.end())});
      }
      return states;
    };
    auto states = co_await database_.transact<std::vector<DetectorState>>(
        deadline, Access::read_only, std::move(job));
    co_return states;
  }

  runtime::Async<std::size_t> purge(Deadline deadline, TenantId tenant, std::chrono::hours idle,
                                    std::size_t limit) override {
    std::function<Result<std::size_t>(Tx&)> job = [tenant, idle,
                                                   limit](Tx& tx) -> Result<std::size_t> {
      return tx
          .exec(kPurge, Params()
                            .integer(tenant)
                            .integer(idle.count())
                            .integer(static_cast<std::int64_t>(limit)))
          .affected();
    };
    auto purged =
        co_await database_.transact<std::size_t>(deadline, Access::read_write, std::move(job));
    co_return purged;
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<DetectorStateStore> make_detector_state_store(pg::Database& database) {
  return std::make_unique<PgDetectorStateStore>(database);
}

}  // namespace sensus::storage
