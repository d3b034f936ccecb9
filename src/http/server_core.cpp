#include "server_core_internal.hpp"

#include "response_head_internal.hpp"
#include "session_internal.hpp"

#include <algorithm>
#include <random>

namespace sensus::http {
namespace {

/// A sixteenth of the shortest deadline, so that none is overrun by much; at rest four times a second.
std::chrono::milliseconds tick_of(const Options& options, const Router& router) {
  using std::chrono::milliseconds;
  milliseconds shortest =
      std::min({options.header_timeout, options.body_timeout, options.write_timeout, options.idle_timeout});
  for (const Route& route : router.routes()) {
    shortest = std::min(shortest, std::chrono::duration_cast<milliseconds>(route.deadline));
  }
  return std::clamp(shortest / 16, milliseconds{5}, milliseconds{250});
}

std::uint64_t random_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

}  // namespace

ServerCore::ServerCore(runtime::Executor executor_in, Options options_in, const Router& router_in,
                       telemetry::Log log_in, telemetry::Metrics& metrics_in)
    : executor(std::move(executor_in)),
      options(std::move(options_in)),
      router(router_in),
      log(std::move(log_in)),
      metrics(metrics_in, router_in),
      ids(random_seed()),
      all_closed(executor),
      sweep_timer_(executor),
      tick_(tick_of(options, router_in)) {}

void ServerCore::enter(Session& session) {
  session.place = sessions.insert(sessions.end(), &session);
  open.fetch_add(1, std::memory_order_relaxed);
  metrics.connections.set(static_cast<double>(sessions.size()));
  if (!sweeping_) {
    arm_sweep();
  }
}

void ServerCore::leave(Session& session) {
  sessions.erase(session.place);
  open.fetch_sub(1, std::memory_order_relaxed);
  metrics.connections.set(static_cast<double>(sessions.size()));
  if (sessions.empty()) {
    sweep_timer_.cancel();
    all_closed.cancel();
  }
}

const std::string& ServerCore::date(TimePoint now) {
  if (now >= date_until_) {
    const auto wall = std::chrono::system_clock::now().time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(wall);
    date_ = render_http_date(seconds.count());
    date_until_ = now + std::chrono::duration_cast<Duration>(seconds + std::chrono::seconds{1} - wall);
  }
  return date_;
}

void ServerCore::arm_sweep() {
  sweeping_ = true;
  sweep_timer_.expires_after(tick_);
  sweep_timer_.async_wait([self = shared_from_this()](const boost::system::error_code&) { self->sweep(); });
}

void ServerCore::sweep() {
  sweeping_ = false;
  const auto now = std::chrono::steady_clock::now();
  for (auto at = sessions.begin(); at != sessions.end();) {
    Session& session = **at;
    ++at;
    session.on_tick(now);
  }
  if (!sessions.empty()) {
    arm_sweep();
  }
}

}  // namespace sensus::http
