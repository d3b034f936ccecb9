#include "sensus/redis/client.hpp"

#include "dial_internal.hpp"
#include "instruments_internal.hpp"
#include "link_internal.hpp"
#include "reconnect_internal.hpp"

#include "sensus/runtime/signal.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <random>
#include <utility>

namespace sensus::redis {
namespace asio = boost::asio;

namespace {

/// Commands that wait on the server by themselves: their deadline is the caller's alone, and they
/// are no measure of latency.
bool blocks(const Command& args) {
  if (args.empty() || (args.front() != "XREADGROUP" && args.front() != "XREAD")) {
    return false;
  }
  return std::find(args.begin(), args.end(), "BLOCK") != args.end();
}

/// After these a new connection may find a server that serves: a demoted or desynchronised primary,
/// a changed password.
bool wants_reconnect(std::string_view code) {
  return code == "READONLY" || code == "MASTERDOWN" || code == "NOAUTH";
}

std::vector<Command> greeting(const Options& options, const std::string& name) {
  std::vector<Command> commands;
  if (!options.password.empty()) {
    Command auth{"AUTH"};
    if (!options.user.empty()) {
      auth.push_back(options.user);
    }
    auth.push_back(options.password.reveal());
    commands.push_back(std::move(auth));
  }
  commands.push_back({"SELECT", std::to_string(options.database)});
  commands.push_back({"CLIENT", "SETNAME", "sensus-" + name});
  commands.push_back({"PING"});
  return commands;
}

/// The first refusal that makes the connection useless.
Result<> judge_greeting(const std::vector<Command>& commands, const std::vector<Reply>& replies) {
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const Reply::ErrorText* refused = replies[i].error();
    const std::string& verb = commands[i].front();
    const bool optional = verb == "CLIENT" || (verb == "PING" && refused != nullptr &&
                                               error_code_of(refused->text) == "NOPERM");
    if (refused != nullptr && !optional) {
      return make_error(Errc::unavailable, verb + " was refused: " + refused->text.substr(0, 200));
    }
  }
  return {};
}

}  // namespace

struct Client::Impl {
  using Self = std::shared_ptr<Impl>;
  Impl(runtime::Executor e, std::string n, Options o, telemetry::Log l, telemetry::Metrics& metrics)
      : executor(std::move(e)),
        name(std::move(n)),
        options(std::move(o)),
        log(std::move(l)),
        instruments(std::make_shared<const Instruments>(metrics, name)),
        wake(executor) {}

  static runtime::Async<std::vector<Reply>> exchange(Self self, std::shared_ptr<Link> link,
                                                     Deadline deadline,
                                                     std::vector<Command> commands);
  static runtime::Async<std::vector<Reply>> pipeline(Self self, Deadline deadline,
                                                     std::vector<Command> commands);
  static runtime::Async<Reply> command(Self self, Deadline deadline, Command args);
  static runtime::Async<std::shared_ptr<Link>> open(Self self, std::shared_ptr<Dial> dial);
  static runtime::Task run(Self self);

  void note_replies(const std::vector<Reply>& replies, Link& on);
  void note_failure(const Error& why);
  void become_ready(std::shared_ptr<Link> opened);
  void drop(const Error& why);

  runtime::Executor executor;
  std::string name;
  Options options;
  telemetry::Log log;
  std::shared_ptr<const Instruments> instruments;
  runtime::Signal wake;        ///< Ends the pause between attempts.
  std::shared_ptr<Dial> dial;  ///< While connecting.
  std::shared_ptr<Link> link;  ///< While open, greeted or not.
  bool ready = false;          ///< `link` is greeted.
  bool stopping = false;
  std::string last_error = "not connected yet";
};

runtime::Async<std::vector<Reply>> Client::Impl::exchange(Self self, std::shared_ptr<Link> link,
                                                          Deadline deadline,
                                                          std::vector<Command> commands) {
  const auto started = std::chrono::steady_clock::now();
  const bool blocking = std::any_of(commands.begin(), commands.end(), blocks);
  if (!blocking) {
    deadline = min(deadline, Deadline(started + self->options.command_timeout));
  }
  std::string bytes;
  for (const Command& args : commands) {
    append_command(bytes, args);
  }
  auto waiter = std::make_shared<Waiter>(self->executor);
  Result<> sent = link->send(bytes, commands.size(), deadline, waiter);
  if (!sent) {
    self->instruments->error(sent.error().code == Errc::overloaded ? "overloaded" : "disconnected");
    co_return std::move(sent).error();
  }
  waiter->wake.expires_at(deadline.at());
  co_await waiter->wake.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!waiter->done) {
    waiter->abandoned = true;
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      throw boost::system::system_error(asio::error::operation_aborted);
    }
    self->instruments->error("timeout");
    co_return make_error(Errc::timeout,
                         "Redis did not answer " + commands.front().front() + " in time");
  }
  if (waiter->error) {
    self->instruments->error("disconnected");
    co_return *waiter->error;
  }
  if (!blocking) {
    self->instruments->command_seconds.observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  }
  self->note_replies(waiter->replies, *link);
  co_return std::move(waiter->replies);
}

runtime::Async<std::vector<Reply>> Client::Impl::pipeline(Self self, Deadline deadline,
                                                          std::vector<Command> commands) {
  if (commands.empty()) {
    co_return std::vector<Reply>{};
  }
  if (!self->ready) {
    self->instruments->error("disconnected");
    co_return make_error(Errc::unavailable, "Redis is away: " + self->last_error);
  }
  std::shared_ptr<Link> link = self->link;
  Result<std::vector<Reply>> replies =
      co_await exchange(self, std::move(link), deadline, std::move(commands));
  co_return replies;
}

runtime::Async<Reply> Client::Impl::command(Self self, Deadline deadline, Command args) {
  std::vector<Command> one;
  one.push_back(std::move(args));
  Result<std::vector<Reply>> replies = co_await pipeline(self, deadline, std::move(one));
  if (!replies) {
    co_return std::move(replies).error();
  }
  co_return std::move(replies->front());
}

void Client::Impl::note_replies(const std::vector<Reply>& replies, Link& on) {
  for (const Reply& reply : replies) {
    if (reply.error() == nullptr) {
      continue;
    }
    const std::string_view code = error_code_of(reply.error()->text);
    if (code == "BUSYGROUP") {
      continue;  // "It is there already": what XGROUP CREATE is expected to say.
    }
    instruments->error(code);
    if (ready && wants_reconnect(code)) {
      on.close(make_error(Errc::unavailable, "Redis said " + reply.error()->text.substr(0, 200)));
    }
  }
}

runtime::Async<std::shared_ptr<Link>> Client::Impl::open(Self self, std::shared_ptr<Dial> dial) {
  const Deadline deadline = Deadline::after(self->options.connect_timeout);
  Result<> connected = co_await connect(deadline, dial);
  if (!connected) {
    co_return std::move(connected).error();
  }
  auto link = std::make_shared<Link>(self->executor, std::move(dial->socket), self->instruments,
                                     LinkLimits{});
  self->link = link;
  link->start();
  if (self->stopping) {
    co_return make_error(Errc::cancelled, "stopped");
  }
  std::vector<Command> commands = greeting(self->options, self->name);
  Result<std::vector<Reply>> replies = co_await exchange(self, link, deadline, commands);
  if (!replies) {
    co_return std::move(replies).error();
  }
  Result<> welcome = judge_greeting(commands, *replies);
  if (!welcome) {
    co_return std::move(welcome).error();
  }
  co_return link;
}

void Client::Impl::become_ready(std::shared_ptr<Link> opened) {
  link = std::move(opened);
  ready = true;
  last_error.clear();
  instruments->connected.set(1);
  instruments->pool_size.add(1);
  log.info("connected to Redis", {{"connection", name}, {"address", address_of(options)}});
}

/// Forgets the link, whatever state it is in.
void Client::Impl::drop(const Error& why) {
  if (link) {
    link->close(why);
  }
  link.reset();
  dial.reset();
  if (ready) {
    ready = false;
    instruments->connected.set(0);
    instruments->pool_size.add(-1);
  }
}

void Client::Impl::note_failure(const Error& why) {
  last_error = why.message;
  if (stopping) {
    return;
  }
  instruments->reconnects.inc();
  log.throttled(telemetry::LogLevel::warning, name + why.message,
                "Redis is away; connecting again with back-off. Check that it runs and that the "
                "redis section of the configuration is right.",
                {{"connection", name}, {"address", address_of(options)}, {"error", why.message}});
}

runtime::Task Client::Impl::run(Self self) {
  // Cancelled or not, no link is left behind.
  struct Guard {
    Impl& impl;
    ~Guard() { impl.drop(make_error(Errc::cancelled, "the Redis client was stopped")); }
  } guard{*self};
  ReconnectPolicy policy(std::random_device{}());
  while (!self->stopping) {
    self->dial = std::make_shared<Dial>(self->executor, self->options);
    std::shared_ptr<Dial> dial = self->dial;
    Result<std::shared_ptr<Link>> opened = co_await open(self, std::move(dial));
    if (opened) {
      std::shared_ptr<Link> link = *opened;
      self->become_ready(link);
      policy.connected(std::chrono::steady_clock::now());
      co_await Link::wait_closed(link);
      self->note_failure(link->reason());
      self->drop(link->reason());
    } else {
      self->instruments->error("connect");
      self->note_failure(opened.error());
      self->drop(opened.error());
    }
    if (self->stopping) {
      break;
    }
    const Deadline pause = Deadline::after(policy.lost(std::chrono::steady_clock::now()));
    co_await self->wake.wait(pause);
  }
}

Client::Client(runtime::Executor executor, std::string name, Options options, telemetry::Log log,
               telemetry::Metrics& metrics)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(name), std::move(options),
                                   std::move(log), metrics)) {}
Client::~Client() { impl_->drop(make_error(Errc::cancelled, "the Redis client was destroyed")); }

runtime::Async<Reply> Client::command(Deadline deadline, Command args) {
  return Impl::command(impl_, deadline, std::move(args));
}
runtime::Async<std::vector<Reply>> Client::pipeline(Deadline deadline,
                                                    std::vector<Command> commands) {
  return Impl::pipeline(impl_, deadline, std::move(commands));
}
runtime::Task Client::run() { return Impl::run(impl_); }

void Client::stop() {
  impl_->stopping = true;
  if (impl_->dial) {
    impl_->dial->cancel();
  }
  if (impl_->link) {
    impl_->link->close(make_error(Errc::cancelled, "the Redis client was stopped"));
  }
  impl_->wake.notify();
}

bool Client::connected() const { return impl_->ready && impl_->link && impl_->link->open(); }

telemetry::HealthReport Client::health() const {
  if (connected()) {
    return {};
  }
  return {telemetry::HealthState::failed,
          "Redis is away (" + address_of(impl_->options) + "): " + impl_->last_error};
}

}  // namespace sensus::redis
