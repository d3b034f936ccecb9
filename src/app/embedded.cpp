#include "embedded_internal.hpp"

namespace sensus::app {

Result<std::unique_ptr<EmbeddedServices>> EmbeddedServices::start_blocking(const std::filesystem::path& directory,
                                                                          const telemetry::Log& log,
                                                                          telemetry::Metrics& metrics) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(directory, error);
  if (error) {
    return make_error(Errc::unavailable, "cannot resolve '" + directory.string() + "': " + error.message());
  }
  SENSUS_TRY(DirectoryLock lock, DirectoryLock::acquire(absolute));
  SENSUS_TRY(EmbeddedLayout layout, make_layout(absolute, log));
  std::vector<ServiceSpec> services(2);
  SENSUS_TRY(services[0], prepare_postgres_blocking(layout, log));
  SENSUS_TRY(services[1], prepare_redis_blocking(layout));
  std::unique_ptr<EmbeddedServices> embedded(
      new EmbeddedServices(std::move(lock), std::move(layout), std::move(services), log, metrics));
  // Recovery after a crash may take longer; the daemon then waits as it does for any database.
  if (!embedded->supervisor_.wait_ready_blocking(Deadline::after(15s))) {
    log.warning("the embedded servers are not ready yet; starting up all the same",
                {{"directory", embedded->layout_.directory.string()}});
  }
  return embedded;
}

void EmbeddedServices::apply(pg::Options& options) const {
  const std::string base = "host='" + layout_.sockets.string() + "' dbname=sensus user=";
  options.url = base + "sensus_app";
  options.migration_url = base + "sensus_owner";
  options.password = Secret();
  options.password_file.clear();
}

void EmbeddedServices::apply(redis::Options& options) const {
  options.socket = (layout_.sockets / "redis.sock").string();
  options.user.clear();
  options.password = Secret();
  options.database = 0;
}

}  // namespace sensus::app
