#include "sensus/runtime/runtime.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>

namespace sensus::runtime {

namespace asio = boost::asio;

struct Runtime::Impl {
  // Concurrency hint 1: one thread runs the reactor; other threads may still post.
  asio::io_context io{1};
};

Runtime::Runtime() : impl_(std::make_unique<Impl>()) {}
Runtime::~Runtime() = default;

Executor Runtime::executor() { return impl_->io.get_executor(); }

void Runtime::run() { impl_->io.run(); }

void Runtime::stop() { impl_->io.stop(); }

void Runtime::run_until_done(Task task) {
  bool done = false;
  std::exception_ptr failure;
  asio::co_spawn(impl_->io, std::move(task), [&done, &failure](std::exception_ptr e) {
    failure = e;
    done = true;
  });
  impl_->io.restart();
  while (!done && impl_->io.run_one() > 0) {
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
}

}  // namespace sensus::runtime
