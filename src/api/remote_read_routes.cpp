#include "operation_internal.hpp"

#include "sensus/codec/remote_read.hpp"
#include "sensus/codec/snappy_block.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sensus::api {
namespace {

constexpr std::size_t kQuestionBytesMax = 1 << 20;  ///< Unpacked.
constexpr std::size_t kAnswerBytesMax = 64 << 20;   ///< Unpacked; about 4 million samples.
constexpr std::size_t kSamplesMax = 4'000'000;      ///< Of all queries of a request.
constexpr std::size_t kSeriesMax = 20'000;          ///< Of one query.
constexpr std::size_t kSamplesATurn = 20'000;       ///< Rendered before others get theirs.

Result<std::vector<codec::RemoteReadQuery>> parse_read(const http::Request& request) {
  if (request.headers.get_joined("Content-Encoding") == "identity") {
    return make_error(Errc::unsupported,
                      "send the body as a snappy block: Content-Encoding: snappy");
  }
  SENSUS_TRY(const std::string message, codec::unpack_snappy(request.body, kQuestionBytesMax));
  return codec::parse_remote_read(message);
}

http::Response reply_snappy(const std::string& message) {
  http::Response response;
  response.status = 200;
  response.content_type = std::string(kProtobuf);
  response.headers.set("Content-Encoding", "snappy");
  response.headers.set("Cache-Control", "no-store");
  response.body = codec::pack_snappy(message);
  return response;
}

Error too_large() {
  return make_error(Errc::invalid_input, "the answer would be larger than " +
                                             std::to_string(kAnswerBytesMax >> 20) +
                                             " MiB: ask for fewer series or a shorter range");
}

/// The samples of a series, and a stale marker where it ended: a Prometheus that reads it lets it go at once instead of after
/// its five minutes.
std::vector<model::Sample> with_end(const storage::RangeSeries& series, Timestamp to) {
  std::vector<model::Sample> points = series.points;
  const std::optional<Timestamp>& ended_at = series.series.ended_at;
  if (ended_at && *ended_at < to && !points.empty() && points.back().time < *ended_at) {
    points.push_back({*ended_at, model::stale_marker()});
  }
  return points;
}

Reply post_read(State& state, const http::Request& request) {
  auto queries = parse_read(request);
  if (!queries) {
    co_return http::to_response(queries.error());
  }
  const auto executor = co_await boost::asio::this_coro::executor;
  codec::RemoteReadAnswer answer;
  std::size_t left = kSamplesMax;
  for (codec::RemoteReadQuery& query : *queries) {
    const Timestamp to = query.to;
    storage::SamplesQuery asked{std::move(query.selector), query.from, query.to, kSeriesMax, left};
    auto reading =
        state.deps.samples.read_samples(request.deadline, kDefaultTenant, std::move(asked));
    const auto found = co_await std::move(reading);
    if (!found) {
      co_return http::to_response(found.error());
    }
    std::size_t turn = 0;
    for (const storage::RangeSeries& series : *found) {
      left -= std::min(left, series.points.size());
      if (series.series.ended_at) {
        answer.add_series(series.series.metric_name, series.series.labels, with_end(series, to));
      } else {
        answer.add_series(series.series.metric_name, series.series.labels, series.points);
      }
      turn += series.points.size() + 1;
      if (turn > kSamplesATurn) {
        turn = 0;
        co_await boost::asio::post(executor, boost::asio::use_awaitable);
      }
    }
    answer.end_query();
    if (answer.bytes() > kAnswerBytesMax) {
      co_return http::to_response(too_large());
    }
  }
  co_return reply_snappy(answer.message());
}

}  // namespace

Operations remote_read_operations() {
  return {
      {.method = http::Method::post,
       .pattern = "/api/v1/read",
       .handler = post_read,
       .id = "postRemoteRead",
       .tag = "series",
       .summary = "Prometheus remote-read",
       .description = "What `remote_read` of a Prometheus or a Thanos asks: a "
                      "prometheus.ReadRequest as a snappy block. The answer is a "
                      "prometheus.ReadResponse of samples (SAMPLES), labels sorted, samples "
                      "ascending; a stale marker where a series ended. At most 20000 series a query and "
                      "4 million samples a request. Query parameters are ignored.",
       .reads_samples = true,
       .body_schema = "RemoteReadBody",
       .body_limit = BodyLimit::ingest,
       .body_type = "application/x-protobuf",
       .body_encoding = "snappy",
       .problems = {400, 413, 415, 503},
       .responses = {{200, "The samples.", kProtobuf, "RemoteReadReply"}}},
  };
}

}  // namespace sensus::api
