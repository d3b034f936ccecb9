#include "sensus/runtime/task_group.hpp"

#include "sensus/core/assert.hpp"
#include "sensus/runtime/signal.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <map>
#include <utility>

namespace sensus::runtime {

namespace asio = boost::asio;

struct TaskGroup::Impl {
  struct Child {
    std::string name;
    asio::cancellation_signal cancel;
  };

  Impl(Executor e, telemetry::Log l, std::function<void(std::string, std::string)> f)
      : executor(std::move(e)), log(std::move(l)), on_failure(std::move(f)), changed(executor) {}

  void finished(std::uint64_t id, const std::exception_ptr& failure) {
    const auto at = children.find(id);
    SENSUS_ASSERT(at != children.end());
    const std::string name = at->second->name;
    children.erase(at);
    changed.notify();
    report(name, failure);
  }

  void report(const std::string& name, const std::exception_ptr& failure) {
    if (!failure) {
      return;
    }
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::operation_aborted) {
        failed(name, e.what());
      }
    } catch (const std::exception& e) {
      failed(name, e.what());
    }
  }

  void failed(const std::string& name, const std::string& what) {
    log.error("a background task died; this is a bug, please report it", {{"task", name}, {"error", what}});
    if (on_failure) {
      on_failure(name, what);
    }
  }

  Executor executor;
  telemetry::Log log;
  std::function<void(std::string, std::string)> on_failure;
  Signal changed;
  std::uint64_t next_id = 0;
  std::map<std::uint64_t, std::unique_ptr<Child>> children;
};

TaskGroup::TaskGroup(Executor executor, telemetry::Log log,
                     std::function<void(std::string name, std::string what)> on_failure)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(log), std::move(on_failure))) {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(std::string name, Task task) {
  const std::uint64_t id = impl_->next_id++;
  auto child = std::make_unique<Impl::Child>();
  child->name = std::move(name);
  auto slot = child->cancel.slot();
  impl_->children.emplace(id, std::move(child));
  auto on_done = [impl = impl_, id](std::exception_ptr failure) { impl->finished(id, failure); };
  asio::co_spawn(impl_->executor, std::move(task), asio::bind_cancellation_slot(slot, std::move(on_done)));
}

std::size_t TaskGroup::size() const { return impl_->children.size(); }

namespace {

template <class Impl>
asio::awaitable<bool> wait_until_empty(std::shared_ptr<Impl> impl, Deadline deadline) {
  while (!impl->children.empty()) {
    const bool notified = co_await impl->changed.wait(deadline);
    if (!notified) {
      co_return impl->children.empty();
    }
  }
  co_return true;
}

}  // namespace

Async<> TaskGroup::stop(Duration grace) {
  const auto impl = impl_;
  const bool ended = co_await wait_until_empty(impl, Deadline::after(grace));
  if (ended) {
    co_return Result<>{};
  }
  std::string names;
  for (const auto& [id, child] : impl->children) {
    names += names.empty() ? child->name : ", " + child->name;
  }
  impl->log.info("cancelling background tasks that did not end by themselves", {{"tasks", names}});
  // emit may complete a child at once, so walk over ids, not iterators.
  for (std::uint64_t id = 0; id < impl->next_id; ++id) {
    const auto at = impl->children.find(id);
    if (at != impl->children.end()) {
      at->second->cancel.emit(asio::cancellation_type::terminal);
    }
  }
  const bool cancelled = co_await wait_until_empty(impl, Deadline::after(2s));
  if (!cancelled) {
    co_return make_error(Errc::timeout, "background tasks did not end: " + names);
  }
  co_return Result<>{};
}

}  // namespace sensus::runtime
