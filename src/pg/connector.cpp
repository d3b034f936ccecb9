#include "pg/connector_internal.hpp"

#include "pg/sqlstate_internal.hpp"

namespace sensus::pg {
namespace {

constexpr runtime::BackoffOptions kBackoff{100ms, 3000ms};

Error away() { return make_error(Errc::unavailable, "the database is not available"); }

}  // namespace

Connector::Connector(std::function<std::string()> conninfo, telemetry::Log log)
    : conninfo_(std::move(conninfo)), log_(std::move(log)), backoff_(kBackoff) {}

Result<std::unique_ptr<Session>> Connector::open_blocking() {
  if (Result<> allowed = claim_attempt(); !allowed) {
    return allowed.error();
  }
  try {
    auto session = std::make_unique<Session>(conninfo_());
    note_success();
    return session;
  } catch (const SqlFailure& e) {
    return note_failure(e);
  }
}

Result<> Connector::claim_attempt() {
  const std::lock_guard lock(mutex_);
  if (!failing_) {
    return {};
  }
  if (probing_ || Clock::now() < not_before_) {
    return away();
  }
  probing_ = true;
  return {};
}

void Connector::note_success() {
  const std::lock_guard lock(mutex_);
  if (failing_) {
    log_.info("the database is back");
  }
  failing_ = false;
  probing_ = false;
  backoff_.reset();
}

Verdict Connector::last_failure() const {
  const std::lock_guard lock(mutex_);
  return last_failure_;
}

Error Connector::note_failure(const SqlFailure& failure) {
  const std::lock_guard lock(mutex_);
  last_failure_ = classify(failure.sqlstate());
  const auto delay = backoff_.next();
  failing_ = true;
  probing_ = false;
  not_before_ = Clock::now() + delay;
  log_.throttled(
      telemetry::LogLevel::error, "connect",
      "cannot open a database session; check that PostgreSQL runs and that database.url is right",
      {{"reason", failure.what()}, {"retry_in_ms", delay.count()}});
  return away();
}

}  // namespace sensus::pg
