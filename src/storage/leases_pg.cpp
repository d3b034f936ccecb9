#include "sensus/storage/leases.hpp"

namespace sensus::storage {
namespace {

using pg::Access;
using pg::Params;
using pg::Rows;
using pg::Tx;

// clock_timestamp(): the time after a wait for the row, not of the beginning of the transaction.
constexpr std::string_view kTake =
    "insert into sensus.leases as l (name, holder, length, lease_until) "
    "values ($1, $2, make_interval(secs => $3::float8), clock_timestamp() + make_interval(secs => $3::float8)) "
    "on conflict (name) do update set holder = excluded.holder, length = excluded.length, "
    "lease_until = clock_timestamp() + excluded.length, term = l.term + (l.holder <> excluded.holder)::int, "
    "taken_at = case when l.holder = excluded.holder then l.taken_at else clock_timestamp() end "
    "where l.holder = excluded.holder or l.lease_until < clock_timestamp() or l.lease_until > clock_timestamp() + 2 * l.length "
    "returning l.term";
constexpr std::string_view kHolder = "select holder, term from sensus.leases where name = $1";
constexpr std::string_view kGiveUp = "update sensus.leases set lease_until = '-infinity' where name = $1 and holder = $2";

class PgLeaseStore final : public LeaseStore {
 public:
  explicit PgLeaseStore(pg::Database& database) : database_(database) {}

  runtime::Async<Lease> take(Deadline deadline, std::string name, std::string holder, std::chrono::milliseconds length) override {
    std::function<Result<Lease>(Tx&)> job = [=](Tx& tx) -> Result<Lease> {
      const double seconds = static_cast<double>(length.count()) / 1000;
      const Rows taken = tx.exec(kTake, Params().text(name).text(holder).number(seconds));
      if (!taken.empty()) {
        return Lease{.ours = true, .term = taken.integer(0, 0), .holder = holder};
      }
      const Rows other = tx.exec(kHolder, Params().text(name));
      if (other.empty()) {
        return Lease{};
      }
      return Lease{.ours = false, .term = other.integer(0, 1), .holder = std::string(other.text(0, 0))};
    };
    auto lease = co_await database_.transact<Lease>(deadline, Access::read_write, std::move(job));
    co_return lease;
  }

  runtime::Async<> give_up(Deadline deadline, std::string name, std::string holder) override {
    std::function<Result<bool>(Tx&)> job = [=](Tx& tx) -> Result<bool> {
      return tx.exec(kGiveUp, Params().text(name).text(holder)).affected() == 1;
    };
    Result<bool> ended = co_await database_.transact<bool>(deadline, Access::read_write, std::move(job));
    if (!ended) {
      co_return std::move(ended).error();
    }
    co_return Result<>{};
  }

 private:
  pg::Database& database_;
};

}  // namespace

std::unique_ptr<LeaseStore> make_lease_store(pg::Database& database) { return std::make_unique<PgLeaseStore>(database); }

}  // namespace sensus::storage
