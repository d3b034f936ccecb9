#include "pg/runner_internal.hpp"

#include <sys/socket.h>

#include <thread>

namespace sensus::pg {
namespace {

/// The server should give up a little before the client does, so that the session survives.
std::chrono::milliseconds margin_of(std::chrono::milliseconds left) {
  return std::min(50ms, left / 10);
}

void pause_with_jitter(int conflicts_left) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const int longest_ms = 5 << (3 - conflicts_left);
  std::this_thread::sleep_for(
      std::chrono::milliseconds(std::uniform_int_distribution<int>(1, longest_ms)(random)));
}

}  // namespace

void SessionSlot::cut() {
  const std::lock_guard lock(mutex_);
  cut_ = true;
  if (socket_ >= 0) {
    ::shutdown(socket_, SHUT_RDWR);
  }
}

bool SessionSlot::was_cut() {
  const std::lock_guard lock(mutex_);
  return cut_;
}

void SessionSlot::begin_job() {
  const std::lock_guard lock(mutex_);
  cut_ = false;
}

void SessionSlot::install(std::unique_ptr<Session> session) {
  const std::lock_guard lock(mutex_);
  session_ = std::move(session);
  socket_ = session_->socket();
  if (cut_) {
    ::shutdown(socket_, SHUT_RDWR);
  }
}

void SessionSlot::drop() {
  {
    const std::lock_guard lock(mutex_);
    socket_ = -1;
  }
  session_.reset();
}

void Reachability::note_up() {
  const std::lock_guard lock(mutex_);
  known_ = true;
  up_ = true;
  reason_.clear();
}

void Reachability::note_down(std::string reason) {
  const std::lock_guard lock(mutex_);
  known_ = true;
  up_ = false;
  reason_ = std::move(reason);
}

telemetry::HealthReport Reachability::report() const {
  const std::lock_guard lock(mutex_);
  if (up_) {
    return {};
  }
  return {telemetry::HealthState::failed, known_ ? reason_ : "no session has been opened yet"};
}

Runner::Runner(const Options& options, std::function<std::string()> conninfo, telemetry::Log log,
               telemetry::Metrics& metrics)
    : options_(options),
      log_(log),
      metrics_(metrics),
      connector_(std::move(conninfo), std::move(log)) {
  for (std::int64_t i = 0; i < options.sessions; ++i) {
    slots_.push_back(std::make_unique<SessionSlot>());
  }
  metrics_.pool_size_max.set(static_cast<double>(options.sessions));
}

Result<> Runner::run_blocking(runtime::JobContext& context, Access access, const Job& job) {
  SessionSlot& slot = *slots_[context.worker()];
  slot.begin_job();
  context.on_cancel([&slot] { slot.cut(); });
  const auto began = std::chrono::steady_clock::now();
  Budget budget;
  for (;;) {
    if (context.deadline().expired()) {
      return make_error(Errc::timeout, "the database did not answer in time");
    }
    if (Result<> opened = ensure_session(slot); !opened) {
      return opened;
    }
    Attempt done = attempt(slot, access, context.deadline(), job);
    count(done);
    if (may_run_again(done, slot, budget) && !context.deadline().expired()) {
      continue;
    }
    metrics_.seconds.observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    return std::move(done.result);
  }
}

Result<> Runner::ensure_session(SessionSlot& slot) {
  if (slot.session() != nullptr &&
      std::chrono::steady_clock::now() - slot.session()->opened_at() > options_.session_lifetime) {
    drop(slot);
  }
  if (slot.session() != nullptr) {
    return {};
  }
  auto opened = connector_.open_blocking();
  if (!opened) {
    const Verdict failure = connector_.last_failure();
    metrics_.count_error(failure.error_class);
    metrics_.up.set(0);
    reachability_.note_down("cannot open a session: " + std::string(failure.advice));
    return opened.error();
  }
  slot.install(std::move(*opened));
  const auto open = static_cast<double>(++open_);
  metrics_.sessions_open.set(open);
  metrics_.pool_size.set(open);
  return {};
}

Runner::Attempt Runner::attempt(SessionSlot& slot, Access access, Deadline deadline,
                                const Job& job) {
  Session& session = *slot.session();
  bool committing = false;
  try {
    session.begin(access, statement_limit(deadline), deadline);
    Result<> result = job(session);
    if (!result) {
      const bool usable = session.rollback();
      return {std::move(result),
              {Errc::internal, usable ? Reaction::give_up : Reaction::replace, "", ""},
              false};
    }
    committing = true;
    session.commit();
    return {std::move(result), {}, false};
  } catch (const SqlFailure& e) {
    // A read that was not committed was read all the same.
    return fail(e, committing && access == Access::read_write, slot.was_cut());
  } catch (const std::invalid_argument& e) {
    return {make_error(Errc::invalid_input, e.what()),
            {Errc::invalid_input, Reaction::give_up, "invalid_input", ""},
            true};
  } catch (const std::exception& e) {
    log_.error("a database job failed by a bug", {{"what", e.what()}});
    return {make_error(Errc::internal, "unexpected failure of a database job"),
            {Errc::internal, Reaction::give_up, "internal", ""},
            true};
  }
}

Runner::Attempt Runner::fail(const SqlFailure& failure, bool committing, bool cut) {
  Verdict verdict = classify(failure.sqlstate());
  if (failure.lost()) {
    const std::string_view error_class =
        failure.sqlstate().empty() ? std::string_view("connection") : verdict.error_class;
    verdict = {Errc::unavailable, Reaction::replace, error_class,
               "the connection to the database was lost"};
    if (cut && !committing) {
      // Cut by us at its deadline: that says nothing about the server, which the next session will show.
      verdict = {Errc::timeout, Reaction::replace, "timeout", "the database did not answer in time"};
    }
    if (committing) {
      verdict.code = Errc::in_doubt;
      verdict.advice = "the connection was lost during COMMIT; repeating the request is safe";
    }
  }
  if (verdict.code == Errc::internal) {
    log_.throttled(telemetry::LogLevel::error, "sql", std::string(verdict.advice),
                   {{"sqlstate", failure.sqlstate()}, {"reason", failure.what()}});
  } else if (verdict.code == Errc::unavailable || verdict.code == Errc::in_doubt) {
    log_.throttled(telemetry::LogLevel::warning, verdict.error_class, std::string(verdict.advice),
                   {{"sqlstate", failure.sqlstate()}, {"reason", failure.what()}});
  }
  return {make_error(verdict.code, std::string(verdict.advice)), verdict, true};
}

bool Runner::may_run_again(const Attempt& attempt, SessionSlot& slot, Budget& budget) {
  switch (attempt.verdict.reaction) {
    case Reaction::give_up:
    case Reaction::run_again:
      if (attempt.failed && !slot.session()->rollback()) {
        drop(slot);
      }
      if (attempt.verdict.reaction == Reaction::run_again && budget.conflicts > 0) {
        metrics_.count_retry("conflict");
        pause_with_jitter(budget.conflicts--);
        return true;
      }
      return false;
    case Reaction::replan:
      drop(slot);
      if (budget.plans == 0) {
        return false;
      }
      --budget.plans;
      metrics_.count_retry("stale_plan");
      return true;
    case Reaction::replace:
      metrics_.discarded.inc();
      drop(slot);
      if (!attempt.failed || attempt.verdict.code != Errc::unavailable || budget.sessions == 0) {
        return false;
      }
      --budget.sessions;
      metrics_.count_retry("session_lost");
      return true;
  }
  return false;
}

void Runner::count(const Attempt& attempt) {
  if (!attempt.failed) {
    metrics_.up.set(1);
    reachability_.note_up();
    return;
  }
  metrics_.count_error(attempt.verdict.error_class);
  if (attempt.verdict.code == Errc::in_doubt) {
    metrics_.in_doubt.inc();
  }
  if (attempt.verdict.reaction == Reaction::replace && attempt.verdict.code != Errc::timeout) {
    metrics_.up.set(0);
    reachability_.note_down(std::string(attempt.verdict.advice));
  }
}

void Runner::drop(SessionSlot& slot) {
  if (slot.session() == nullptr) {
    return;
  }
  slot.drop();
  const auto open = static_cast<double>(--open_);
  metrics_.sessions_open.set(open);
  metrics_.pool_size.set(open);
}

void Runner::close(std::size_t worker) { drop(*slots_[worker]); }

std::chrono::milliseconds Runner::statement_limit(Deadline deadline) const {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::min<Duration>(deadline.remaining(), options_.statement_timeout));
  return std::max(1ms, left - margin_of(left));
}

}  // namespace sensus::pg
