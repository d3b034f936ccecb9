#include "sensus/pg/database.hpp"

#include "pg/conninfo_internal.hpp"
#include "pg/runner_internal.hpp"

namespace sensus::pg {
namespace {

/// A connection string that cannot be read fails every attempt with a clear message instead of the
/// constructor.
std::string conninfo_or_url(const Options& options, const telemetry::Log& log) {
  Result<std::string> conninfo = make_conninfo(options.url, options, "sensus");
  if (!conninfo) {
    log.error(conninfo.error().message, {{"key", conninfo.error().field}});
    return "invalid";
  }
  return std::move(*conninfo);
}

}  // namespace

struct Database::Impl {
  Impl(runtime::Executor reactor, const Options& options, const telemetry::Log& log,
       telemetry::Metrics& metrics)
      : runner(options, [options, log] { return conninfo_or_url(options, log); }, log, metrics),
        pool(std::move(reactor),
             {"pg", static_cast<std::size_t>(options.sessions),
              static_cast<std::size_t>(options.queue_limit)},
             metrics) {}

  Runner runner;
  runtime::BlockingPool pool;  // Last: its threads end before the runner goes.
};

Database::Database(runtime::Executor reactor, Options options, telemetry::Log log,
                   telemetry::Metrics& metrics)
    : impl_(std::make_shared<Impl>(std::move(reactor), options, log, metrics)) {}

Database::~Database() { close_blocking(); }

runtime::Async<> Database::transact_erased(Deadline deadline, Access access,
                                           std::function<Result<>(Tx&)> job) {
  const auto impl = impl_;
  std::function<Result<>(runtime::JobContext&)> work =
      [runner = &impl->runner, access, job = std::move(job)](runtime::JobContext& context) {
        return runner->run_blocking(context, access, job);
      };
  Result<> done = co_await impl->pool.submit<void>(deadline, std::move(work));
  co_return done;
}

runtime::Async<> Database::ping(Deadline deadline) {
  std::function<Result<>(Tx&)> job = [](Tx& tx) -> Result<> {
    (void)tx.exec("select 1");
    return {};
  };
  Result<> done = co_await transact_erased(deadline, Access::read_only, std::move(job));
  co_return done;
}

telemetry::HealthReport Database::health() const { return impl_->runner.reachability().report(); }

std::size_t Database::open_sessions() const { return impl_->runner.open_sessions(); }

void Database::close_blocking() {
  impl_->pool.stop_blocking();
  for (std::size_t worker = 0; worker < impl_->pool.threads(); ++worker) {
    impl_->runner.close(worker);
  }
}

}  // namespace sensus::pg
