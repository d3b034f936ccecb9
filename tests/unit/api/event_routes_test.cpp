#include "api_fixture.hpp"

namespace sensus::api::test {
namespace {

/// Keeps what is written; fails from chunk `fail_at` on, as when the client is gone.
class FakeWriter final : public http::BodyWriter {
 public:
  explicit FakeWriter(std::size_t fail_at = 1000) : fail_at_(fail_at) {}
  runtime::Async<> write(std::string chunk) override {
    if (chunks.size() >= fail_at_) {
      co_return make_error(Errc::cancelled, "the client is gone");
    }
    chunks.push_back(std::move(chunk));
    co_return Result<>();
  }
  std::vector<std::string> chunks;

 private:
  std::size_t fail_at_;
};

class EventRoutes : public ApiTest {
 protected:
  std::vector<std::string> read(const http::Response& response, std::size_t fail_at = 1000) {
    EXPECT_TRUE(response.stream != nullptr);
    FakeWriter writer(fail_at);
    runtime::Runtime reactor;
    reactor.run_until_done(response.stream(writer));
    return writer.chunks;
  }
};

TEST_F(EventRoutes, EventsCarryIdTypeAndData) {
  world.flow.batches = {{make_entry("5-0", "alert", R"({"alert_id":42})"), make_entry("5-1", "analysis", "{\n}")}};
  const http::Response response = get("/api/v1/events");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "text/event-stream");
  EXPECT_EQ(response.headers.get("Cache-Control"), "no-store");
  const auto chunks = read(response);
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(chunks[0], "retry: 2000\n: connected\n\n");
  EXPECT_EQ(chunks[1], "id: 5-0\nevent: alert\ndata: {\"alert_id\":42}\n\nid: 5-1\nevent: analysis\ndata: {\ndata: }\n\n");
  EXPECT_FALSE(world.flow.seen_last_event_id);
}

TEST_F(EventRoutes, SilenceIsFilledWithHeartbeats) {
  world.flow.batches = {{}, {make_entry("5-0", "alert", "{}")}, {}};
  const auto chunks = read(get("/api/v1/events"));
  ASSERT_EQ(chunks.size(), 4U);
  EXPECT_EQ(chunks[1], ": heartbeat\n\n");
  EXPECT_EQ(chunks[3], ": heartbeat\n\n");
}

TEST_F(EventRoutes, TypesMayBeChosen) {
  world.flow.batches = {{make_entry("5-0", "alert", "{}"), make_entry("5-1", "anomaly", "{}")}};
  const auto chunks = read(get("/api/v1/events", {{"type", "anomaly"}, {"type", "analysis"}}));
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(chunks[1], "id: 5-1\nevent: anomaly\ndata: {}\n\n");
}

TEST_F(EventRoutes, StreamEndsWhenTheClientIsGone) {
  world.flow.batches = {{}, {}, {}};
  const http::Response response = get("/api/v1/events");
  EXPECT_EQ(read(response, 2).size(), 2U);
}

TEST_F(EventRoutes, LastEventIdComesFromHeaderBeforeParameter) {
  get("/api/v1/events", {{"last_event_id", "7-0"}});
  EXPECT_EQ(world.flow.seen_last_event_id, "7-0");
  http::Headers headers;
  headers.add("Last-Event-ID", "9-1");
  call(http::Method::get, "/api/v1/events", {{"last_event_id", "7-0"}}, {}, std::move(headers));
  EXPECT_EQ(world.flow.seen_last_event_id, "9-1");
}

TEST_F(EventRoutes, RefusalsAreProblems) {
  expect_problem(get("/api/v1/events", {{"type", "weather"}}), 400, "type");
  world.flow.error = make_error(Errc::overloaded, "256 readers are connected");
  expect_problem(get("/api/v1/events"), 503);
  world.flow.error = make_error(Errc::invalid_input, "must be an event id of this feed");
  expect_problem(get("/api/v1/events", {{"last_event_id", "x"}}), 400, "last_event_id");
  http::Headers headers;
  headers.add("Last-Event-ID", "x");
  expect_problem(call(http::Method::get, "/api/v1/events", {}, {}, std::move(headers)), 400, "Last-Event-ID");
}

}  // namespace
}  // namespace sensus::api::test
