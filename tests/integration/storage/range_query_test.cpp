#include "integration/storage/store_fixture.hpp"

#include <bit>
#include <cmath>
#include <limits>

namespace sensus::test {
namespace {

using model::SeriesMatchOp;
using runtime::Async;
using storage::Aggregation;

const Timestamp kNoon = at("2026-11-20T12:00:00Z");
constexpr double kInf = std::numeric_limits<double>::infinity();

/// Series written one by one, with what stands in a row of a flush.
class RangeWorld {
 public:
  explicit RangeWorld(runtime::Executor executor)
      : s(executor),
        writer(storage::make_sample_writer(s.options, telemetry::Log(), s.metrics)),
        store(storage::make_sample_store(s.database)) {}

  Result<> write(const std::string& name, const model::Labels& labels,
                 const std::vector<double>& values, std::chrono::seconds distance = 15s) {
    storage::SampleFlush flush;
    flush.new_series.push_back(model::encode_series_key(name, labels));
    for (std::size_t i = 0; i < values.size(); ++i) {
      flush.rows.push_back({-1, kNoon + static_cast<int>(i) * distance, values[i]});
    }
    const auto written = writer->write_blocking(soon(), flush);
    return written ? Result<>{} : Result<>{written.error()};
  }

  Store s;
  std::unique_ptr<storage::SampleWriter> writer;
  std::unique_ptr<storage::SampleStore> store;
};

storage::RangeQuery minute_of(const std::string& name, Aggregation aggregation) {
  storage::RangeQuery query;
  query.metric_name = name;
  query.from = kNoon;
  query.to = kNoon + 60s;
  query.aggregation = aggregation;
  return query;
}

/// The one point of the one series; NaN stands for none.
Async<double> one_point(RangeWorld& w, std::string name, Aggregation aggregation) {
  const auto found =
      co_await w.store->query_range(soon(), kDefaultTenant, minute_of(name, aggregation));
  if (!found) {
    co_return found.error();
  }
  co_return found->size() == 1 && found->front().points.size() == 1 ? found->front().points[0].value
                                                                    : std::nan("");
}

const double kStale = std::bit_cast<double>(std::uint64_t{0x7ff0000000000002});

struct Case {
  std::string name;
  std::vector<double> values;
  double sum, avg, max;
};

/// Tables stand outside the coroutines: GCC 12 cannot keep them in a frame.
std::vector<Case> odd_numbers() {
  return {
      {"huge", {1e308, 1e308, 1e308}, kInf, 1e308, 1e308},
      {"both", {1.7e308, -1.7e308, 4}, 4, 4.0 / 3, 1.7e308},
      {"deep", {-1e308, -1.7e308}, -kInf, -1.35e308, -1e308},
      {"infinite", {kInf, 1}, kInf, kInf, kInf},
      {"nan", {std::nan(""), 2, kStale, 4}, 6, 3, 4},
      {"denormal", {5e-324, 5e-324}, 1e-323, 5e-324, 5e-324},
  };
}

model::Labels one_label() { return {{"a", "b"}}; }

std::vector<double> nothing_but_nan() { return {std::nan(""), kStale}; }

std::vector<SeriesId> seven_ids() { return {1, 2, 3, 4, 5, 6, 7}; }

CORO_TEST(RangeQuery, NoNumberKeepsAQueryFromItsAnswer) {
  auto executor = co_await boost::asio::this_coro::executor;
  RangeWorld w(executor);
  for (const Case& c : odd_numbers()) {
    const Result<> written = w.write(c.name, one_label(), c.values);
    CO_ASSERT_OK(written);
    auto found = co_await one_point(w, c.name, Aggregation::sum);
    CO_ASSERT_OK(found);
    EXPECT_DOUBLE_EQ(*found, c.sum) << c.name;
    found = co_await one_point(w, c.name, Aggregation::avg);
    CO_ASSERT_OK(found);
    EXPECT_DOUBLE_EQ(*found, c.avg) << c.name;
    found = co_await one_point(w, c.name, Aggregation::max);
    CO_ASSERT_OK(found);
    EXPECT_DOUBLE_EQ(*found, c.max) << c.name;
  }
  const Result<> written = w.write("nothing", one_label(), nothing_but_nan());
  CO_ASSERT_OK(written);
  const auto none = co_await one_point(w, "nothing", Aggregation::count);
  CO_ASSERT_OK(none);
  EXPECT_TRUE(std::isnan(*none)) << "NaN is no value, so there is no point";
  const std::vector<SeriesId> ids = seven_ids();
  const auto means = co_await w.store->step_means(soon(), kDefaultTenant, ids, kNoon, kNoon + 60s, 60s);
  CO_ASSERT_OK(means);
  CO_ASSERT_EQ(means->size(), 6U);
  for (const auto& series : *means) {
    CO_ASSERT_EQ(series.points.size(), 1U);
    EXPECT_TRUE(std::isfinite(series.points[0].value)) << "detectors know finite numbers only";
  }
}

std::vector<std::pair<std::string, model::Labels>> six_series() {
  return {{"cpu_user", {{"n", "1"}, {"job", "api"}, {"zone", "a-1"}}},
          {"cpu_user", {{"n", "2"}, {"job", "api-2"}}},
          {"cpu_sys", {{"n", "3"}, {"job", "web"}, {"zone", "b|1"}}},
          {"mem", {{"n", "4"}, {"job", "API"}, {"zone", "a\nb"}}},
          {"mem.used", {{"n", "5"}}},
          {"up", {{"n", "6"}, {"job", "a.i"}, {"zone", "\xC3\xA9"}}}};
}

std::vector<std::pair<std::string, std::string>> selections() {
  return {
      {"cpu_user", "12"},
      {"{__name__=~\"cpu_.+\"}", "123"},
      {"{__name__=~\"cpu\"}", ""},
      {"{__name__=~\"cpu_sys|mem\"}", "34"},
      {"{__name__!~\"cpu.*|mem\"}", "56"},
      {"{__name__!=\"mem\",job=\"api\"}", "1"},
      {"{\"mem.used\"}", "5"},
      {"{job=~\"api\"}", "1"},
      {"{job=~\"api|web\"}", "13"},
      {"{job=~\"api.*\"}", "12"},
      {"{job=~\"(?i)api\"}", "14"},
      {"{job=~\"a\\\\.i\"}", "6"},
      {"{job!~\"api.*\"}", "3456"},
      {"{job!=\"\"}", "12346"},
      {"{job=\"\"}", "5"},
      {"{job=~\"\"}", "5"},
      {"{job=~\"|web\"}", "35"},
      {"{job=~\".*\"}", "123456"},
      {"{job=~\".+\"}", "12346"},
      {"{job!~\".+\"}", "5"},
      {"{zone=~\"b\\\\|1\"}", "3"},
      {"{zone=~\"a.b\"}", "4"},
      {"{zone=~\".\"}", "6"},
      {"{zone=~\"[[:alpha:]]-\\\\d{1,3}\"}", "1"},
      {"{zone=~\"(?P<z>a|b)[-|]1\"}", "13"},
      {"{job=~\"a.*\",zone!=\"\",n!~\"6|x\"}", "1"},
  };
}

std::vector<std::string> bad_expressions() {
  return {"{job=~\"(\"}", "{job=~\"a**\"}", "{job=~\"(?=a)\"}", "{job=~\"(a)\\\\1\"}",
          "{job=~\"((x{0,255}){0,255}){0,255}\"}"};
}

/// `name` and what matches of six series, as the values of their label `n`.
Async<std::string> matching(RangeWorld& w, std::string selector) {
  storage::SeriesQuery query;
  const auto parsed = model::parse_selector(selector);
  if (!parsed) {
    co_return parsed.error();
  }
  query.selector = *parsed;
  const auto found = co_await w.store->list_series(soon(), kDefaultTenant, query);
  if (!found) {
    co_return found.error();
  }
  std::string out;
  for (const auto& series : *found) {
    out += series.labels.get("n");
  }
  co_return out;
}

CORO_TEST(RangeQuery, MatchersSelectAsPrometheusDoes) {
  auto executor = co_await boost::asio::this_coro::executor;
  RangeWorld w(executor);
  for (const auto& [name, labels] : six_series()) {
    const Result<> written = w.write(name, labels, {1});
    CO_ASSERT_OK(written);
  }
  for (const auto& [selector, expected] : selections()) {
    const auto found = co_await matching(w, selector);
    CO_ASSERT_OK(found);
    EXPECT_EQ(*found, expected) << selector;
  }
  for (const std::string& selector : bad_expressions()) {
    const auto refused = co_await matching(w, selector);
    CO_ASSERT_TRUE(!refused);
    EXPECT_EQ(refused.error().code, Errc::invalid_input)
        << selector << ": " << refused.error().message;
  }
}

std::vector<std::string> broad_selectors() {
  return {"{job=~\".*\"}", "{job!=\"x\"}", "{job=\"\"}", "{job!~\"x\",zone=~\"a*\"}"};
}

CORO_TEST(RangeQuery, ASelectorOfEverythingIsRefused) {
  auto executor = co_await boost::asio::this_coro::executor;
  RangeWorld w(executor);
  storage::RangeQuery query = minute_of("", Aggregation::avg);
  for (const std::string& text : broad_selectors()) {
    query.selector = model::parse_selector(text).value();
    const auto refused = co_await w.store->query_range(soon(), kDefaultTenant, query);
    CO_ASSERT_TRUE(!refused);
    EXPECT_EQ(refused.error().code, Errc::invalid_input) << text;
    EXPECT_NE(refused.error().message.find("every series"), std::string::npos)
        << refused.error().message;
  }
  query.selector = model::parse_selector("{job!~\"x\",zone=~\"a+\"}").value();
  const auto taken = co_await w.store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(taken);
}

std::vector<std::pair<model::Labels, std::vector<double>>> grouped_series() {
  return {{{{"job", "a"}, {"i", "1"}}, {1, 2}},
          {{{"job", "a"}, {"i", "2"}}, {30, 5}},
          {{{"i", "3"}}, {7}}};
}

CORO_TEST(RangeQuery, GroupsAreFoldedTogether) {
  auto executor = co_await boost::asio::this_coro::executor;
  RangeWorld w(executor);
  for (const auto& [labels, values] : grouped_series()) {
    const Result<> written = w.write("m", labels, values);
    CO_ASSERT_OK(written);
  }
  storage::RangeQuery query = minute_of("m", Aggregation::sum);
  query.by = std::vector<std::string>{"job"};
  auto found = co_await w.store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(found);
  CO_ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ(found->at(0).series.labels, (model::Labels{{"job", "a"}}));
  EXPECT_EQ(found->at(0).members, 2U);
  EXPECT_EQ(found->at(0).series.id, 0);
  EXPECT_EQ(found->at(0).points.at(0).value, 38);
  EXPECT_TRUE(found->at(1).series.labels.empty()) << "a missing label is left out";
  EXPECT_EQ(found->at(1).points.at(0).value, 7);
  query.aggregation = Aggregation::last;
  found = co_await w.store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(found);
  EXPECT_EQ(found->at(0).points.at(0).value, 5) << "of equal times the later series";
  query.aggregation = Aggregation::rate;
  found = co_await w.store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(found);
  // The first goes from 1 to 2 in 15 s and is near the start, 15 + 0 + 7.5 s of it; the second is
  // reset to 0 and goes to 5.
  EXPECT_NEAR(found->at(0).points.at(0).value, (1 * 22.5 / 15 + 5 * 22.5 / 15) / 60, 1e-9);
  EXPECT_TRUE(found->at(1).points.empty()) << "one sample has no rate";
}

CORO_TEST(RangeQuery, LimitsAreToldBeforeTheyAreExceeded) {
  auto executor = co_await boost::asio::this_coro::executor;
  RangeWorld w(executor);
  for (int i = 0; i < 3; ++i) {
    const Result<> written = w.write("m", {{"i", std::to_string(i)}}, {1, 2, 3});
    CO_ASSERT_OK(written);
  }
  const auto refusal = [](const auto& found) {
    return found ? std::string() : found.error().message;
  };
  storage::RangeQuery query = minute_of("m", Aggregation::p50);
  query.samples_max = 9;
  auto found = co_await w.store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(found);
  query.samples_max = 8;
  found = co_await w.store->query_range(soon(), kDefaultTenant, query);
  EXPECT_NE(refusal(found).find("more than 8 samples"), std::string::npos) << refusal(found);
  query = minute_of("m", Aggregation::avg);
  query.by = std::vector<std::string>{"i"};
  query.series_max = 3;
  query.points_total_max = 3;
  found = co_await w.store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(found);
  query.points_total_max = 2;
  found = co_await w.store->query_range(soon(), kDefaultTenant, query);
  EXPECT_NE(refusal(found).find("too many points"), std::string::npos) << refusal(found);
  query.series_max = 2;
  found = co_await w.store->query_range(soon(), kDefaultTenant, query);
  EXPECT_NE(refusal(found).find("more than 2 series"), std::string::npos) << refusal(found);
  storage::SamplesQuery all{{{"__name__", SeriesMatchOp::equal, "m"}}, kNoon, kNoon + 60s, 3, 9};
  auto read = co_await w.store->read_samples(soon(), kDefaultTenant, all);
  CO_ASSERT_OK(read);
  EXPECT_EQ(read->size(), 3U);
  all.samples_max = 8;
  read = co_await w.store->read_samples(soon(), kDefaultTenant, all);
  EXPECT_NE(refusal(read).find("more than 8 samples"), std::string::npos) << refusal(read);
  all.series_max = 2;
  read = co_await w.store->read_samples(soon(), kDefaultTenant, all);
  EXPECT_NE(refusal(read).find("more than 2 series"), std::string::npos) << refusal(read);
}

/// More series of a bucket than are looked up one by one: their rows are read whole.
CORO_TEST(RangeQuery, ManySeriesAreReadFromWholeRows) {
  auto executor = co_await boost::asio::this_coro::executor;
  RangeWorld w(executor);
  constexpr int kSeries = 64 * 30;
  for (int round = 0; round < 3; ++round) {
    storage::SampleFlush flush;
    for (int i = 0; i < kSeries; ++i) {
      flush.new_series.push_back(series_key("m", std::to_string(i)));
      flush.rows.push_back({-(i + 1), kNoon + round / 2 * 15s, i + round * 10'000.0});
    }
    const auto written = w.writer->write_blocking(soon(), flush);
    CO_ASSERT_OK(written);
  }
  storage::RangeQuery query = minute_of("m", Aggregation::sum);
  query.series_max = kSeries;
  const auto found = co_await w.store->query_range(soon(), kDefaultTenant, query);
  CO_ASSERT_OK(found);
  CO_ASSERT_EQ(found->size(), static_cast<std::size_t>(kSeries));
  for (const auto& one : *found) {
    CO_ASSERT_EQ(one.points.size(), 1U);
    const int i = std::stoi(std::string(one.series.labels.get("instance")));
    EXPECT_EQ(one.points[0].value, 2 * i + 30'000) << "the first was written over";
  }
}

std::vector<std::pair<std::string, model::Labels>> odd_labels() {
  return {{"{\"a\": 1, \"b\": \"x\", \"c\": {\"d\": [true]}, \"e\": null}",
           {{"a", "1"}, {"b", "x"}, {"c", "{\"d\":[true]}"}, {"e", "null"}}},
          {"[1]", {}},
          {"\"text\"", {}},
          {"null", {}}};
}

CORO_TEST(RangeQuery, OddLabelsOfARowAreShownAndNoFailure) {
  auto executor = co_await boost::asio::this_coro::executor;
  RangeWorld w(executor);
  const Result<> written = w.write("m", {{"a", "b"}}, {1});
  CO_ASSERT_OK(written);
  for (const auto& [json, expected] : odd_labels()) {
    (void)w.s.db.admin("update sensus.series set labels = '" + json + "'");
    const storage::SeriesQuery all;
    const auto found = co_await w.store->list_series(soon(), kDefaultTenant, all);
    CO_ASSERT_OK(found);
    EXPECT_EQ(found->at(0).labels, expected) << json;
  }
}

}  // namespace
}  // namespace sensus::test
