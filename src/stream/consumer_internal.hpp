#pragma once

#include "loss_detector_internal.hpp"
#include "replies_internal.hpp"

#include "sensus/runtime/backoff.hpp"
#include "sensus/runtime/signal.hpp"
#include "sensus/stream/consumer.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sensus::stream {

struct ConsumerInstruments {
  ConsumerInstruments(telemetry::Metrics& metrics, std::string_view stream);
  telemetry::Counter acked;
  telemetry::Counter retried;
  telemetry::Counter failed;
  telemetry::Counter dead;
  telemetry::Counter claimed;
  telemetry::Counter lost;
  telemetry::Counter groups_made;
  telemetry::Histogram handler_seconds;
  telemetry::Histogram delay_seconds;
};

/// The loop is in consumer.cpp, what it says to Redis in consumer_commands.cpp, what it does with
/// entries in consumer_handling.cpp. `not_found` anywhere means: the group is gone, make it again.
struct Consumer::Impl {
  using Self = std::shared_ptr<Impl>;
  Impl(Deps deps, Options o, model::Topic t, Handler h, DeadLetterSink d, std::function<void()> l);

  // The loop.
  static runtime::Task run(Self self);
  static runtime::Task keep_in_hand(Self self);
  static runtime::Async<> session(Self self);
  static runtime::Async<> drain_own(Self self);
  static runtime::Async<> claim_stale(Self self, std::chrono::milliseconds idle);
  static runtime::Async<> wait_parked(Self self, Deadline deadline);
  static runtime::Async<> look_for_loss(Self self);
  static runtime::Async<> leave_group(Self self);

  // Redis.
  static runtime::Async<redis::Reply> ask(Self self, redis::Command command);
  /// nullopt: it is there. Else how many entries of the stream were trimmed already.
  static runtime::Async<std::optional<std::int64_t>> look_for_group(Self self);
  static runtime::Async<> ensure_group(Self self);
  static runtime::Async<std::vector<RawEntry>> read_new(Self self, std::chrono::milliseconds block);
  static runtime::Async<std::vector<RawEntry>> read_own(Self self, std::string after);
  static runtime::Async<std::vector<std::int64_t>> deliveries_of(Self self,
                                                                 std::vector<std::string> ids);
  static runtime::Async<> ack(Self self, std::vector<std::string> ids);
  static runtime::Async<> add_dead(Self self, Entry entry, std::int64_t deliveries,
                                   std::string reason);

  // Entries.
  enum class Origin { fresh, redelivered };
  static runtime::Async<> process(Self self, std::vector<RawEntry> raw, Origin origin);
  static runtime::Async<> deliver_again(Self self, std::vector<Entry> entries);
  static runtime::Async<> deliver(Self self, std::vector<Entry> batch);
  static runtime::Async<std::vector<Disposition>> call_handler(Self self, std::vector<Entry> batch);
  static runtime::Async<std::vector<Disposition>> call_until_reachable(Self self,
                                                                       std::vector<Entry> batch);
  static runtime::Async<> settle(Self self, std::vector<Entry> batch,
                                 std::vector<Disposition> dispositions);
  static runtime::Async<> give_up(Self self, Entry entry, std::int64_t deliveries,
                                  std::string reason);

  void note_lost(std::int64_t count, std::string_view why);
  void note_group_made();
  void note_handler_error(const Error& error);
  void note_session_error(const Error& error);
  void note_dead(const Entry& entry, std::int64_t deliveries, const std::string& reason);
  [[nodiscard]] std::chrono::milliseconds claim_interval() const;
  [[nodiscard]] bool is_exclusive() const { return static_cast<bool>(holds); }
  /// May what was read be handled?
  [[nodiscard]] bool is_held() const { return !holds || holds(); }
  /// May more be read?
  [[nodiscard]] bool is_going() const { return !stopping && active && is_held(); }
  void park();
  [[nodiscard]] Deadline command_deadline() const {
    return Deadline::after(redis_options.command_timeout);
  }

  runtime::Executor executor;
  redis::Options redis_options;
  telemetry::Log log;
  Options options;
  model::Topic topic;
  std::string key;
  std::string consumer;
  Handler handler;
  DeadLetterSink dead_letters;
  std::function<void()> on_lost;
  std::function<bool()> holds;
  ConsumerInstruments instruments;
  redis::Client client;
  runtime::Signal wake;         ///< Ends pauses: stop.
  runtime::Signal keeper_wake;  ///< The same for the keeper.
  runtime::Signal children_done;
  runtime::Signal parked_now;
  LossDetector losses;
  std::vector<std::string>
      in_hand;  ///< Ids the handler works on: the keeper shows Redis that they are alive.
  int children = 0;
  bool stopping = false;
  bool active = true;
  bool parked = true;  ///< No session is on.
  bool finished = false;  ///< `run` is over.
  std::string trouble;    ///< Of the handler, for health; empty when the last batch went well.
};

}  // namespace sensus::stream
