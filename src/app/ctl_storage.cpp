#include "app_config_internal.hpp"
#include "command_line_internal.hpp"
#include "ctl_internal.hpp"
#include "ctl_storage_internal.hpp"

#include "sensus/core/clock.hpp"
#include "sensus/storage/storage_tool.hpp"

#include <unistd.h>

#include <cstdio>
#include <functional>
#include <variant>

namespace sensus::app {
namespace {

using storage::CompactionProgress;
using storage::StorageTool;
using storage::VerifyProgress;

struct StorageFlags {
  std::string output = "human";
  std::string database;
};

/// A line on stderr that is written over; nothing where stderr is no terminal, but for a line every ten seconds.
class ProgressLine {
 public:
  void show(const std::string& text) {
    const auto now = std::chrono::steady_clock::now();
    if (now - shown_ < (terminal_ ? std::chrono::milliseconds{200} : std::chrono::milliseconds{10'000})) {
      return;
    }
    shown_ = now;
    std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", text.c_str());
    dirty_ = terminal_;
  }
  void end() const {
    if (dirty_) {
      std::fprintf(stderr, "\r\033[K");
    }
  }

 private:
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool dirty_ = false;
  std::chrono::steady_clock::time_point shown_ = std::chrono::steady_clock::now();
};

/// What a verb works with.
struct Tools {
  Timestamp closed_until;
  StorageTool& storage;
  bool json = false;
};

using Verb = std::function<int(Tools&)>;

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

int show_stats(Tools& tools) {
  const auto stats = tools.storage.stats_blocking(tools.closed_until);
  if (!stats) {
    return fail(stats.error());
  }
  print(tools.json ? render_json(*stats) : render_text(*stats));
  return 0;
}

int compact(Tools& tools) {
  ProgressLine line;
  const auto done = tools.storage.compact_blocking(tools.closed_until, [&line](const CompactionProgress& now) {
    line.show("compacting: " + std::to_string(now.buckets) + " of " + std::to_string(now.buckets_total) + " buckets, " +
              std::to_string(now.samples) + " samples");
  });
  line.end();
  if (!done) {
    return fail(done.error());
  }
  print(tools.json ? render_json(*done) : render_text(*done));
  return done->busy ? 1 : 0;
}

int verify(Tools& tools) {
  ProgressLine line;
  const auto done = tools.storage.verify_blocking([&line](const VerifyProgress& now) {
    line.show("verifying: " + std::to_string(now.pages * 100 / std::max<std::int64_t>(now.pages_total, 1)) + " %, " +
              std::to_string(now.rows) + " rows, " + std::to_string(now.bad_rows) + " bad");
  });
  line.end();
  if (!done) {
    return fail(done.error());
  }
  print(tools.json ? render_json(*done) : render_text(*done));
  return done->bad_rows == 0 ? 0 : 1;
}

int run_verb(const CtlContext& context, const StorageFlags& flags, const Verb& verb) {
  CommandLine command_line;
  command_line.config_file = context.config_file;
  LoadedConfig loaded = load_config(command_line, config::process_environment());
  if (const auto* mistakes = std::get_if<std::vector<std::string>>(&loaded)) {
    for (const std::string& mistake : *mistakes) {
      std::fprintf(stderr, "%s\n", mistake.c_str());
    }
    return 1;
  }
  auto& config = std::get<AppConfig>(loaded);
  if (!flags.database.empty()) {
    config.database.url = flags.database;
  }
  telemetry::Metrics metrics;
  StorageTool tool(config.database, telemetry::Log(), metrics);
  const SystemClock clock;
  Tools tools{clock.now() - config.compaction.closed_after, tool, flags.output == "json"};
  return verb(tools);
}

}  // namespace

void declare_storage_verbs(CLI::App& cli, CtlContext& context) {
  CLI::App* noun = cli.add_subcommand("storage", "Samples in PostgreSQL: how large, what waits, whether all of it can be read");
  noun->require_subcommand(1);
  const auto flags = std::make_shared<StorageFlags>();
  noun->add_option("--output", flags->output, "human or json")->check(CLI::IsMember({"human", "json"}))->type_name("FORMAT");
  noun->add_option("--database", flags->database, "Connect there instead of to database.url")->type_name("URL");
  noun->fallthrough();
  const auto add = [&](const char* name, const char* help, Verb verb) {
    noun->add_subcommand(name, help)->fallthrough()->callback(
        [&context, flags, verb = std::move(verb)] { context.exit_code = run_verb(context, *flags, verb); });
  };
  add("stats", "Size of each table and sample, and what waits to be compacted", show_stats);
  add("compact", "Compact now what waits; 1 when a daemon is at it", compact);
  add("verify", "Read every sample and rollup back; 1 when a row is damaged", verify);
}

}  // namespace sensus::app
