#include "application_internal.hpp"

#include "systemd_internal.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <utility>

namespace sensus::app {
namespace {

using runtime::Async;
using runtime::Task;

/// Of what the stop may take; what is not saved by then is replayed.
constexpr std::chrono::seconds kHandOverLimit{11};

std::string join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) {
    out += out.empty() ? part : "; " + part;
  }
  return out;
}

}  // namespace

int Application::run() {
  reload_successful_.set(1);
  reload_time_.set(static_cast<double>(to_unix_us(clock_.now())) / 1e6);
  if (const Result<> created = create(); !created) {
    log_.error("cannot start", {{"error", created.error().message}});
    request_stop(1);
  }
  runtime_.run_until_done(live());
  return exit_code_;
}

Task Application::live() {
  if (!stop_requested_) {
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
      signals_.add(number);
    }
    wait_for_signal();
    redis_tasks_->spawn("redis", redis_->run());
    feed_tasks_->spawn("live feed", live_feed_->run());
    upkeep_tasks_->spawn("start-up", start_up());
    upkeep_tasks_->spawn("loop lag", measure_loop_lag());
    if (const auto interval = watchdog_interval()) {
      upkeep_tasks_->spawn("watchdog", feed_watchdog(*interval));
    }
    log_.info("listening", {{"address", join(server_->local_endpoints())}, {"pid", ::getpid()}});
  }
  while (!stop_requested_) {
    co_await stop_requested_signal_.wait(Deadline::after(1h));
  }
  const Deadline deadline = Deadline::after(config_.service.shutdown_timeout);
  notify_stopping();
  const Result<> unwound = co_await stop_stack_.unwind(deadline);
  signals_.cancel();
  if (!unwound && exit_code_ == 0) {
    log_.warning("stopped, not everything in order", {{"error", unwound.error().message}});
  } else {
    log_.info("stopped", {{"exit_code", exit_code_}});
  }
}

void Application::wait_for_signal() {
  signals_.async_wait([this](const boost::system::error_code& error, int number) {
    if (!error) {
      on_signal(number);
      wait_for_signal();
    }
  });
}

void Application::on_signal(int number) {
  if (number == SIGHUP) {
    static_cast<void>(reload());
    return;
  }
  if (stop_requested_) {
    log_.warning("second signal: exiting at once");
    logs_.shutdown();
    std::_Exit(1);
  }
  log_.info("stopping", {{"signal", number == SIGTERM ? "SIGTERM" : "SIGINT"}, {"within_ms", config_.service.shutdown_timeout.count()}});
  request_stop(0);
}

void Application::request_stop(int exit_code) {
  if (stop_requested_) {
    return;
  }
  stop_requested_ = true;
  exit_code_ = exit_code;
  if (ownership_) {
    ownership_->resign();  // Another replica goes on at once, while this one drains.
  }
  exit_guard_.arm(Deadline::after(config_.service.shutdown_timeout + std::chrono::milliseconds{500}));
  stop_requested_signal_.notify();
}

/// Reads the file again. A broken one changes nothing; of a good one the reloadable keys are taken, the others are named.
Result<> Application::reload() {
  // Before the first READY=1, and after STOPPING=1, the service manager must not be told that the daemon serves.
  const bool serving = started_ && !stop_requested_;
  if (serving) {
    notify_reloading();
  }
  LoadedConfig loaded = load_config(command_line_, config::process_environment());
  if (const auto* mistakes = std::get_if<std::vector<std::string>>(&loaded)) {
    reload_successful_.set(0);
    log_.error("the configuration is broken and was not taken; the one before stays", {{"mistakes", join(*mistakes)}});
    if (serving) {
      notify_ready("configuration broken, the one before stays");
    }
    return make_error(Errc::invalid_input, "the configuration was not taken: " + join(*mistakes));
  }
  AppConfig& fresh = std::get<AppConfig>(loaded);
  if (embedded_) {
    embedded_->apply(fresh.database);
    embedded_->apply(fresh.redis);
  }
  const std::vector<std::string> waiting = restart_keys(config_, fresh);
  config_.log.level = fresh.log.level;
  logs_.set_level(config_.log.parsed_level());
  reload_successful_.set(1);
  reload_time_.set(static_cast<double>(to_unix_us(clock_.now())) / 1e6);
  if (waiting.empty()) {
    log_.info("configuration reloaded");
  } else {
    log_.warning("configuration reloaded; restart to apply all of it", {{"restart_needed_for", join(waiting)}});
  }
  if (serving) {
    notify_ready("serving");
  }
  return {};
}

Async<> Application::stop_server(Deadline deadline) {
  if (config_.service.drain_delay.count() > 0 && exit_code_ == 0) {
    const Result<> slept = co_await runtime::sleep(std::min<Duration>(config_.service.drain_delay, deadline.remaining() / 2));
    static_cast<void>(slept);
  }
  co_return co_await server_->stop(min(deadline, Deadline::after(10s)));
}

Async<> Application::stop_ingest(Deadline deadline) {
  const Result<> stopped = co_await ingestor_->stop(min(deadline, Deadline::after(6s)));
  const Result<> metadata = co_await metadata_keeper_->stop(min(deadline, Deadline::after(2s)));
  const Result<> tasks = co_await ingest_tasks_->stop(Duration::zero());
  if (!metadata) {
    log_.warning("metadata of metrics was not stored at the stop; senders say it again", {{"error", metadata.error().message}});
  }
  co_return stopped ? tasks : stopped;
}

/// To another replica, or to whoever starts next.
Async<> Application::hand_over_analysis(Deadline deadline) {
  steps_consumer_->set_active(false);
  const Result<> parked = co_await steps_consumer_->wait_parked(deadline);
  const Result<> saved = co_await anomaly_worker_->save_all(deadline);
  co_return parked ? saved : parked;
}

Async<> Application::stop_analysis(Deadline deadline) {
  const Deadline limit = min(deadline, Deadline::after(kHandOverLimit));
  const Result<> resigned = co_await ownership_->wait_resigned(limit);
  for (const auto& consumer : consumers_) {
    consumer->stop();
  }
  anomaly_worker_->stop();
  model_jobs_->stop();
  group_watch_->stop();
  limit_watch_->stop();
  const Result<> ended = co_await analysis_tasks_->stop(std::min<Duration>(3s, deadline.remaining()));
  co_return resigned ? ended : resigned;
}

Async<> Application::stop_relay(Deadline deadline) {
  relay_->stop();
  co_return co_await relay_tasks_->stop(std::min<Duration>(3s, deadline.remaining()));
}

Async<> Application::stop_live_feed(Deadline deadline) {
  live_feed_->stop();
  co_return co_await feed_tasks_->stop(std::min<Duration>(1s, deadline.remaining()));
}

Async<> Application::stop_redis(Deadline deadline) {
  redis_->stop();
  co_return co_await redis_tasks_->stop(std::min<Duration>(1s, deadline.remaining()));
}

/// Written beside its place and renamed, so that a reader never sees half of it.
Result<> Application::write_ready_file() const {
  if (command_line_.ready_file.empty()) {
    return {};
  }
  const std::string fresh = command_line_.ready_file + ".new";
  {
    std::ofstream stream(fresh, std::ios::trunc);
    stream << nlohmann::json{{"listen", server_->local_endpoints()}, {"pid", ::getpid()}}.dump() << '\n';
    if (!stream.flush()) {
      return make_error(Errc::unavailable, "cannot write --ready-file '" + fresh + "'");
    }
  }
  if (std::rename(fresh.c_str(), command_line_.ready_file.c_str()) != 0) {
    return make_error(Errc::unavailable, "cannot write --ready-file '" + command_line_.ready_file + "'");
  }
  return {};
}

}  // namespace sensus::app
