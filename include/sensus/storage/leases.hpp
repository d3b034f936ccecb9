#pragma once

#include "sensus/core/deadline.hpp"
#include "sensus/core/time.hpp"
#include "sensus/pg/database.hpp"
#include "sensus/runtime/async.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace sensus::storage {

struct Lease {
  bool ours = false;
  std::int64_t term = 0;  ///< Grows with each change of the holder.
  std::string holder;     ///< Who has it, if not whoever asks.
};

/// Work that one replica does at a time. The clock is PostgreSQL's, so clocks of replicas need not agree; a lease that seems to end later
/// than it can, because that clock was set back, counts as ended. **Threading**: reactor. **Errors**: as pg::Database.
class LeaseStore {
 public:
  virtual ~LeaseStore() = default;
  /// Takes the lease, or renews it, for `length` from now; not ours while another holder's lasts. The same term as before means that
  /// nobody else had it in between.
  [[nodiscard]] virtual runtime::Async<Lease> take(Deadline deadline, std::string name, std::string holder,
                                                   std::chrono::milliseconds length) = 0;
  /// Ends it now, if it is this holder's.
  [[nodiscard]] virtual runtime::Async<> give_up(Deadline deadline, std::string name, std::string holder) = 0;
};
[[nodiscard]] std::unique_ptr<LeaseStore> make_lease_store(pg::Database& database);

}  // namespace sensus::storage
