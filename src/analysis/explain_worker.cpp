#include "sensus/analysis/explain_worker.hpp"

#include "explain_internal.hpp"

#include "sensus/config/section.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace sensus::analysis {
namespace asio = boost::asio;
namespace {

using stream::Disposition;

/// Entries worked on at once: enough to keep the database's sessions busy, far from the pool's queue limit.
constexpr std::size_t kParallel = 16;

const std::vector<double>& delay_buckets() {
  static const std::vector<double> buckets{0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300};
  return buckets;
}

/// A Result in a form that has a default, as a completion argument needs.
struct Report {
  Disposition disposition = Disposition::retry;
  std::optional<Error> error;
};

asio::awaitable<Report> report_one(ExplainContext& context, stream::Entry entry) {
  Result<Disposition> done = co_await report_alert(context, std::move(entry));
  Report report;
  if (done) {
    report.disposition = *done;
  } else {
    report.error = std::move(done).error();
  }
  co_return report;
}

/// Reports of up to kParallel entries side by side; ends when all have ended, also when cancelled.
runtime::Async<std::vector<Disposition>> report_together(ExplainContext& context, std::vector<stream::Entry> entries) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  using Op = decltype(asio::co_spawn(executor, report_one(context, stream::Entry{}), asio::deferred));
  std::vector<Op> ops;
  ops.reserve(entries.size());
  for (stream::Entry& entry : entries) {
    asio::awaitable<Report> report = report_one(context, std::move(entry));
    ops.push_back(asio::co_spawn(executor, std::move(report), asio::deferred));
  }
  auto group = asio::experimental::make_parallel_group(std::move(ops));
  auto [order, failures, reports] = co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
  for (const std::exception_ptr& failure : failures) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  }
  std::vector<Disposition> out;
  out.reserve(reports.size());
  for (Report& report : reports) {
    if (report.error) {
      co_return std::move(*report.error);
    }
    out.push_back(report.disposition);
  }
  co_return out;
}

}  // namespace

ExplainInstruments::ExplainInstruments(telemetry::Metrics& metrics)
    : report_delay(metrics.histogram("sensus_analysis_report_delay_seconds", "From an alert's commit to its stored evidence report.",
                                     delay_buckets())) {
  for (std::size_t i = 0; i < kReportOutcomes.size(); ++i) {
    reports.at(i) = metrics.counter("sensus_analysis_reports_total", "Alert events by what came of them.", {{"outcome", kReportOutcomes.at(i)}});
  }
  for (std::size_t i = 0; i < kRequestOutcomes.size(); ++i) {
    requests.at(i) = metrics.counter("sensus_analysis_explanations_total", "Requests for an LLM analysis by what came of them.",
                                     {{"outcome", kRequestOutcomes.at(i)}});
  }
}

void describe(config::Section& section, EvidenceOptions& options) {
  section.duration("window_before", options.window_before, 1min, std::chrono::hours{24},
                   "Anomalies and other alerts this long before an alert's start count as evidence.");
  section.duration("window_after", options.window_after, 0ms, std::chrono::hours{1}, "And this long after it, as far as it has passed.");
  section.integer("anomalies_max", options.anomalies_max, 1, 1000, "Most anomalies read for one report.");
  section.integer("alerts_max", options.alerts_max, 1, 500, "Most other alerts read for one report.");
}

struct ExplainWorker::Impl : ExplainContext {
  using ExplainContext::ExplainContext;
};

ExplainWorker::ExplainWorker(Deps deps, EvidenceOptions options) : impl_(std::make_shared<Impl>(std::move(deps), options)) {}
ExplainWorker::~ExplainWorker() = default;

runtime::Async<std::vector<Disposition>> ExplainWorker::handle_alerts(std::vector<stream::Entry> entries) {
  const std::shared_ptr<Impl> impl = impl_;
  std::vector<Disposition> out;
  out.reserve(entries.size());
  for (std::size_t begin = 0; begin < entries.size(); begin += kParallel) {
    const std::size_t end = std::min(begin + kParallel, entries.size());
    std::vector<stream::Entry> part(std::make_move_iterator(entries.begin() + static_cast<std::ptrdiff_t>(begin)),
                                    std::make_move_iterator(entries.begin() + static_cast<std::ptrdiff_t>(end)));
    Result<std::vector<Disposition>> done = co_await report_together(*impl, std::move(part));
    if (!done) {
      co_return std::move(done).error();
    }
    out.insert(out.end(), done->begin(), done->end());
  }
  co_return out;
}

runtime::Async<std::vector<Disposition>> ExplainWorker::handle_explanations(std::vector<stream::Entry> entries) {
  const std::shared_ptr<Impl> impl = impl_;
  const Deadline start_until = Deadline::after(impl->deps.ollama.options().time_limit);
  std::vector<Disposition> out;
  out.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    stream::Entry entry = std::move(entries[i]);
    Result<Disposition> disposition = co_await answer_request(*impl, std::move(entry), start_until);
    if (!disposition && i == 0) {
      co_return std::move(disposition).error();
    }
    if (!disposition) {
      // What is answered already must not be asked again for the sake of the rest.
      out.resize(entries.size(), Disposition::retry);
      break;
    }
    out.push_back(*disposition);
  }
  co_return out;
}

}  // namespace sensus::analysis
