#pragma once

#include "embedded_layout_internal.hpp"
#include "supervisor_internal.hpp"

#include "sensus/pg/options.hpp"
#include "sensus/redis/client.hpp"

#include <filesystem>
#include <memory>

namespace sensus::app {

/// A cluster in layout.postgres/data with the roles and the empty database `sensus`; made when missing, all or nothing.
[[nodiscard]] Result<ServiceSpec> prepare_postgres_blocking(const EmbeddedLayout& layout, const telemetry::Log& log);
[[nodiscard]] Result<ServiceSpec> prepare_redis_blocking(const EmbeddedLayout& layout);

/// The private PostgreSQL and Redis of `--embedded DIR`: prepared, started, supervised. **Threading**: one thread at a time.
/// **Lifetime**: started before and stopped after everything that connects.
class EmbeddedServices {
 public:
  /// Blocks: up to a minute at the first start, else about a second.
  [[nodiscard]] static Result<std::unique_ptr<EmbeddedServices>> start_blocking(const std::filesystem::path& directory,
                                                                               const telemetry::Log& log,
                                                                               telemetry::Metrics& metrics);
  /// Points the options at the embedded servers.
  void apply(pg::Options& options) const;
  void apply(redis::Options& options) const;
  bool stop_blocking(Deadline deadline) { return supervisor_.stop_blocking(deadline); }

 private:
  EmbeddedServices(DirectoryLock lock, EmbeddedLayout layout, std::vector<ServiceSpec> services, const telemetry::Log& log,
                   telemetry::Metrics& metrics)
      : lock_(std::move(lock)), layout_(std::move(layout)), supervisor_(std::move(services), log, metrics) {}

  DirectoryLock lock_;
  EmbeddedLayout layout_;
  Supervisor supervisor_;
};

}  // namespace sensus::app
