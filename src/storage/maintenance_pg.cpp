#include "sensus/storage/maintenance.hpp"

namespace sensus::storage {
namespace {

class PgMaintenance final : public Maintenance {
 public:
  explicit PgMaintenance(pg::Database& database) : database_(database) {}

  runtime::Async<PartitionReport> make_partitions(Deadline deadline, std::chrono::hours past,
                                                  std::chrono::hours ahead) override {
    std::function<Result<PartitionReport>(pg::Tx&)> job =
        [past, ahead](pg::Tx& tx) -> Result<PartitionReport> {
      const pg::Rows rows = tx.exec(
          "select created, default_rows from sensus.make_partitions("
          "((now() - make_interval(hours => $1::int)) at time zone 'UTC')::date, "
          "((now() + make_interval(hours => $2::int)) at time zone 'UTC')::date)",
          pg::Params().integer(past.count()).integer(ahead.count()));
      return PartitionReport{rows.integer(0, 0), rows.integer(0, 1)};
    };
    auto report = co_await database_.transact<PartitionReport>(deadline, pg::Access::read_write,
                                                               std::move(job));
    co_return report;
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<Maintenance> make_maintenance(pg::Database& database) {
  return std::make_unique<PgMaintenance>(database);
}

}  // namespace sensus::storage
