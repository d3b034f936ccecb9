#include "sensus/runtime/signal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <list>

namespace sensus::runtime {

namespace asio = boost::asio;

struct Signal::Impl {
  struct Waiter {
    asio::steady_timer timer;
    bool notified = false;
  };
  Executor executor;
  std::list<Waiter*> waiters;
  bool pending = false;
};

namespace {

/// Takes the waiter out of the list however its coroutine ends, also by destruction.
template <class List>
class Registration {
 public:
  Registration(List& list, typename List::value_type waiter) : list_(list), at_(list.insert(list.end(), waiter)) {}
  ~Registration() { list_.erase(at_); }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  List& list_;
  typename List::iterator at_;
};

}  // namespace

Signal::Signal(Executor executor) : impl_(std::make_unique<Impl>(Impl{std::move(executor), {}, false})) {}
Signal::~Signal() = default;

void Signal::notify() {
  if (impl_->waiters.empty()) {
    impl_->pending = true;
    return;
  }
  for (Impl::Waiter* waiter : impl_->waiters) {
    waiter->notified = true;
    waiter->timer.cancel();
  }
}

asio::awaitable<bool> Signal::wait(Deadline deadline) {
  if (impl_->pending) {
    impl_->pending = false;
    co_return true;
  }
  Impl::Waiter waiter{asio::steady_timer(impl_->executor, deadline.at()), false};
  Registration registration(impl_->waiters, &waiter);
  const auto [ec] = co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (waiter.notified) {
    co_return true;
  }
  if (ec) {
    throw boost::system::system_error(ec);
  }
  co_return false;
}

}  // namespace sensus::runtime
