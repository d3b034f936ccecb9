#include "remote_write_writer.hpp"

#include "sensus/codec/remote_write.hpp"
#include "sensus/core/utf8.hpp"

#include <gtest/gtest.h>
#include <cmath>
#include <limits>

namespace sensus::codec::test {
namespace {

constexpr std::int64_t kMs = 1'780'315'200'000;
const Timestamp kNow = from_unix_us(kMs * 1000);
constexpr std::size_t kKeys = 1 << 20;
const Pairs kUp{{"__name__", "up"}, {"job", "node"}};

Result<RemoteWrite> v1(const std::string& message, std::size_t key_bytes_max = kKeys) {
  return parse_remote_write(message, RemoteWriteVersion::v1, kNow, {}, key_bytes_max);
}
Result<RemoteWrite> v2(const std::string& message, std::size_t key_bytes_max = kKeys) {
  return parse_remote_write(message, RemoteWriteVersion::v2, kNow, {}, key_bytes_max);
}
std::string key_at(const RemoteWrite& write, std::size_t row) {
  return std::string(write.samples.key(write.samples.rows().at(row)));
}

TEST(RemoteWriteV1, GoldenBytes) {
  // One series up{job="node"} with 1.5 at kMs, byte by byte.
  const std::string golden(
      "\x0a\x2f"
      "\x0a\x0e"
      "\x0a\x08__name__"
      "\x12\x02up"
      "\x0a\x0b"
      "\x0a\x03job"
      "\x12\x04node"
      "\x12\x10"
      "\x09\x00\x00\x00\x00\x00\x00\xf8\x3f"
      "\x10\x80\xb4\xb8\x98\xe8"
      "3",
      49);
  ASSERT_EQ(golden, request_v1({series_v1(kUp, {sample(1.5, kMs)})}));
  const auto write = v1(golden);
  ASSERT_TRUE(write) << write.error().message;
  ASSERT_EQ(write->samples.size(), 1U);
  EXPECT_EQ(key_at(*write, 0), model::encode_series_key("up", {{"job", "node"}}));
  EXPECT_EQ(write->samples.rows()[0].time, kNow);
  EXPECT_EQ(write->samples.rows()[0].value, 1.5);
  EXPECT_FALSE(write->first_refusal);
}

TEST(RemoteWriteV1, SamplesOfASeriesKeepTheirOrderAndKey) {
  const auto write =
      v1(request_v1({series_v1(kUp, {sample(1, kMs - 2), sample(2, kMs - 1), sample(3, kMs)}),
                     series_v1({{"__name__", "down"}}, {sample(4, kMs)})}));
  ASSERT_TRUE(write);
  ASSERT_EQ(write->samples.size(), 4U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(write->samples.rows()[i].value, static_cast<double>(i + 1));
    EXPECT_EQ(key_at(*write, i), model::encode_series_key("up", {{"job", "node"}}));
  }
  EXPECT_EQ(key_at(*write, 3), model::encode_series_key("down", {}));
}

TEST(RemoteWriteV1, StaleMarkersAreEndsAndNotSamples) {
  const auto write = v1(request_v1({series_v1(kUp, {sample(1, kMs - 1), stale(kMs)}),
                                    series_v1(kUp, {stale(kMs), sample(2, kMs)})}));
  ASSERT_TRUE(write);
  EXPECT_EQ(write->stale_markers, 2U);
  ASSERT_EQ(write->samples.size(), 2U);
  EXPECT_EQ(key_at(*write, 1), model::encode_series_key("up", {{"job", "node"}}))
      << "the first sample after a marker";
  ASSERT_EQ(write->samples.ends().size(), 2U);
  for (const auto& end : write->samples.ends()) {
    EXPECT_EQ(write->samples.key(end), model::encode_series_key("up", {{"job", "node"}}));
    EXPECT_EQ(to_unix_us(end.time), kMs * 1000);
  }
}

TEST(RemoteWriteV1, AnEndOutsideTheTimeWindowIsRefusedAsASampleIs) {
  const auto write = v1(request_v1({series_v1(kUp, {stale(0), stale(kMs)})}));
  ASSERT_TRUE(write);
  EXPECT_EQ(write->refused_samples, 1U);
  EXPECT_EQ(write->samples.ends().size(), 1U);
  EXPECT_FALSE(write->samples.empty()) << "an end is something";
  EXPECT_EQ(write->samples.size(), 0U);
}

TEST(RemoteWriteV1, OtherNansAndInfinitiesAreSamples) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto write = v1(request_v1({series_v1(
      kUp, {sample(std::nan(""), kMs), sample(infinity, kMs), sample(-infinity, kMs)})}));
  ASSERT_TRUE(write);
  ASSERT_EQ(write->samples.size(), 3U);
  EXPECT_TRUE(std::isnan(write->samples.rows()[0].value));
  EXPECT_EQ(write->stale_markers, 0U);
}

TEST(RemoteWriteV1, ExemplarsHistogramsAndMetadataNeverFail) {
  const std::string series =
      series_v1(kUp, {sample(1, kMs)}) + Proto().bytes(3, "exemplar").bytes(4, "histogram").text();
  const auto write = v1(Proto().bytes(1, series).bytes(3, "metadata").text());
  ASSERT_TRUE(write);
  EXPECT_EQ(write->samples.size(), 1U);
  EXPECT_EQ(write->exemplars, 1U);
  EXPECT_EQ(write->histograms, 1U);
  EXPECT_EQ(write->refused_metadata, 1U) << "damaged, and alone so";
  EXPECT_FALSE(write->first_refusal);
}

TEST(RemoteWriteV1, MetadataIsGivenAsItCame) {
  const auto write =
      v1(Proto()
             .bytes(3, Proto().varint(1, 3).bytes(2, "http").bytes(4, "a help").bytes(5, "s").text())
             .bytes(3, Proto().varint(1, 99).bytes(2, "later").text())
             .text());
  ASSERT_TRUE(write);
  ASSERT_EQ(write->metadata.size(), 2U);
  EXPECT_EQ(write->metadata[0].family, "http");
  EXPECT_EQ(write->metadata[0].type, model::MetricType::histogram);
  EXPECT_EQ(write->metadata[0].help, "a help");
  EXPECT_EQ(write->metadata[0].unit, "s");
  EXPECT_EQ(write->metadata[1].type, model::MetricType::unknown) << "a type of tomorrow";
}

TEST(RemoteWriteV1, UnknownFieldsAreSkipped) {
  const std::string odd = Proto().varint(99, 7).number(98, 1.0).bytes(97, "x").text() +
                          "\x95\x06"
                          "1234";
  const auto write =
      v1(odd + Proto().bytes(1, odd + series_v1(kUp, {odd + sample(1, kMs) + odd}) + odd).text() +
         odd);
  ASSERT_TRUE(write) << write.error().message;
  EXPECT_EQ(write->samples.size(), 1U);
  EXPECT_EQ(key_at(*write, 0), model::encode_series_key("up", {{"job", "node"}}));
}

TEST(RemoteWriteV1, LabelsMayComeAfterTheSamples) {
  const auto write =
      v1(Proto()
             .bytes(1, Proto().bytes(2, sample(1, kMs)).bytes(1, label("__name__", "up")).text())
             .text());
  ASSERT_TRUE(write);
  EXPECT_EQ(key_at(*write, 0), model::encode_series_key("up", {}));
}

TEST(RemoteWriteV1, UnsortedLabelsAreSortedAndEmptyValuesAreAbsent) {
  const auto write = v1(request_v1(
      {series_v1({{"zone", "z"}, {"Up", "x"}, {"gone", ""}, {"__name__", "up"}, {"a", "b"}},
                 {sample(1, kMs)})}));
  ASSERT_TRUE(write);
  ASSERT_FALSE(write->first_refusal) << write->first_refusal->message;
  EXPECT_EQ(key_at(*write, 0),
            model::encode_series_key("up", {{"Up", "x"}, {"a", "b"}, {"zone", "z"}}));
}

struct Refused {
  const char* why;
  Pairs labels;
  const char* field;
};

TEST(RemoteWriteV1, OneBadSeriesDoesNotSinkTheOthers) {
  const model::InputLimits limits;
  Pairs many{{"__name__", "up"}};
  for (std::size_t i = 0; i <= limits.label_count_max; ++i) {
    many.emplace_back("l" + std::to_string(i), "v");
  }
  const Refused cases[] = {
      {"no name", {{"job", "node"}}, "timeseries[1].labels"},
      {"no labels", {}, "timeseries[1].labels"},
      {"empty metric name", {{"__name__", ""}}, "timeseries[1].labels.__name__"},
      {"empty label name", {{"", "x"}, {"__name__", "up"}}, "timeseries[1].labels"},
      {"a label twice", {{"__name__", "up"}, {"job", "a"}, {"job", "b"}}, "timeseries[1].labels"},
      {"broken UTF-8 value", {{"__name__", "up"}, {"job", "\xff"}}, "timeseries[1].labels.job"},
      {"broken UTF-8 name", {{"__name__", "up"}, {"\xc0\x80", "x"}}, "timeseries[1].labels.?"},
      {"NUL", {{"__name__", "up"}, {"job", std::string("\0", 1)}}, "timeseries[1].labels.job"},
      {"long metric name",
       {{"__name__", std::string(limits.metric_name_bytes_max + 1, 'x')}},
       "timeseries[1].labels.__name__"},
      {"long value",
       {{"__name__", "up"}, {"job", std::string(limits.label_value_bytes_max + 1, 'x')}},
       "timeseries[1].labels.job"},
      {"many labels", many, "timeseries[1].labels"},
  };
  for (const Refused& bad : cases) {
    const auto write = v1(request_v1({series_v1(kUp, {sample(1, kMs)}),
                                      series_v1(bad.labels, {sample(2, kMs), sample(3, kMs)}),
                                      series_v1(kUp, {sample(4, kMs)})}));
    ASSERT_TRUE(write) << bad.why << write.error().message;
    EXPECT_EQ(write->samples.size(), 2U) << bad.why;
    EXPECT_EQ(write->refused_samples, 2U) << bad.why;
    EXPECT_EQ(write->refused_series, 1U) << bad.why;
    ASSERT_TRUE(write->first_refusal) << bad.why;
    EXPECT_EQ(write->first_refusal->field, bad.field) << bad.why;
    EXPECT_TRUE(is_utf8(write->first_refusal->message)) << bad.why;
  }
}

TEST(RemoteWriteV1, LimitsThemselvesAreAllowed) {
  const model::InputLimits limits;
  Pairs labels{{"__name__", std::string(limits.metric_name_bytes_max, 'x')}};
  for (std::size_t i = 0; i < limits.label_count_max; ++i) {
    labels.emplace_back("l" + std::to_string(i), "v");
  }
  const auto write = v1(request_v1({series_v1(labels, {sample(1, kMs)})}));
  ASSERT_TRUE(write);
  EXPECT_FALSE(write->first_refusal);
}

TEST(RemoteWriteV1, SamplesOutsideTheWindowAreRefusedOneByOne) {
  const std::int64_t past = std::chrono::milliseconds(model::InputLimits{}.past_window).count();
  const std::int64_t future = std::chrono::milliseconds(model::InputLimits{}.future_window).count();
  const auto write = v1(
      request_v1({series_v1(kUp, {sample(1, kMs - past - 1), sample(2, kMs - past),
                                  sample(3, kMs + future), sample(4, kMs + future + 1),
                                  sample(5, 0), sample(6, std::numeric_limits<std::int64_t>::max()),
                                  sample(7, std::numeric_limits<std::int64_t>::min())})}));
  ASSERT_TRUE(write);
  ASSERT_EQ(write->samples.size(), 2U);
  EXPECT_EQ(write->samples.rows()[0].value, 2);
  EXPECT_EQ(write->samples.rows()[1].value, 3);
  EXPECT_EQ(write->refused_samples, 5U);
  EXPECT_EQ(write->first_refusal->field, "timeseries[0].samples");
}

TEST(RemoteWriteV1, EveryCutIsAnErrorOrAnEnd) {
  const std::string whole = request_v1({series_v1(kUp, {sample(1, kMs)})});
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_FALSE(v1(whole.substr(0, size))) << size;
  }
  EXPECT_TRUE(v1("")) << "a request of nothing";
}

TEST(RemoteWriteV1, DamageIsRefused) {
  const std::string endless = "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
  for (const std::string& bad :
       {std::string("\x0b"), std::string("\x0c"), std::string("\x00\x01", 2),
        std::string("\x0e\x01"), endless, std::string("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
        std::string("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")}) {
    const auto write = v1(bad);
    ASSERT_FALSE(write);
    EXPECT_EQ(write.error().code, Errc::invalid_input);
    EXPECT_NE(write.error().message.find("prometheus.WriteRequest"), std::string::npos);
  }
}

TEST(RemoteWriteV1, DeepNestingIsOnlyBytes) {
  std::string nested;
  for (int i = 0; i < 2000; ++i) {
    nested = Proto().bytes(9, nested).text();
  }
  const auto write = v1(nested + request_v1({series_v1(kUp, {sample(1, kMs)})}));
  ASSERT_TRUE(write);
  EXPECT_EQ(write->samples.size(), 1U);
}

TEST(RemoteWriteVersions, ABodyOfTheOtherVersionIsNotLostInSilence) {
  const auto one = v1(request_v2({"", "__name__", "up"}, {series_v2({1, 2}, {sample(1, kMs)})}));
  ASSERT_FALSE(one);
  EXPECT_NE(one.error().message.find("proto="), std::string::npos);
  const auto two = v2(request_v1({series_v1(kUp, {sample(1, kMs)})}));
  ASSERT_FALSE(two);
  EXPECT_NE(two.error().message.find("proto="), std::string::npos);
}

TEST(RemoteWriteVersions, ContentTypes) {
  using V = RemoteWriteVersion;
  for (const char* type : {"", "application/x-protobuf", "Application/X-Protobuf; charset=x",
                           "application/x-protobuf;proto=prometheus.WriteRequest",
                           "application/x-protobuf ; PROTO=\"prometheus.WriteRequest\""}) {
    EXPECT_EQ(remote_write_version(type), V::v1) << type;
  }
  EXPECT_EQ(remote_write_version("application/x-protobuf;proto=io.prometheus.write.v2.Request"),
            V::v2);
  EXPECT_EQ(remote_write_version("application/x-protobuf; proto=io.prometheus.write.v2.Request"),
            V::v2);
  for (const char* type : {"application/json", "text/plain", "application/x-protobuf;proto=other",
                           "application/x-protobuf;proto=", "application/x-protobufx", ";proto"}) {
    EXPECT_EQ(remote_write_version(type), std::nullopt) << type;
  }
}

const std::vector<std::string> kSymbols{"", "__name__", "up", "job", "node", "help text", "s"};

TEST(RemoteWriteV2, SymbolsMakeTheLabels) {
  const std::string with_start = sample(2, kMs) + Proto().varint(3, 5).text();
  const auto write = v2(request_v2(
      kSymbols, {series_v2({1, 2, 3, 4}, {sample(1, kMs - 1), with_start, stale(kMs)})}));
  ASSERT_TRUE(write) << write.error().message;
  ASSERT_EQ(write->samples.size(), 2U);
  EXPECT_EQ(key_at(*write, 0), model::encode_series_key("up", {{"job", "node"}}));
  EXPECT_EQ(write->samples.rows()[1].value, 2);
  EXPECT_EQ(write->stale_markers, 1U);
  ASSERT_EQ(write->samples.ends().size(), 1U);
  EXPECT_EQ(write->samples.key(write->samples.ends()[0]), key_at(*write, 0));
}

TEST(RemoteWriteV2, ReferencesMayBeUnpackedAndSymbolsMayComeLast) {
  const std::string series =
      Proto().varint(1, 1).varint(1, 2).bytes(1, packed({3, 4})).bytes(2, sample(1, kMs)).text();
  const auto write = v2(request_v2({}, {series}) + request_v2(kSymbols, {}));
  ASSERT_TRUE(write);
  ASSERT_EQ(write->samples.size(), 1U);
  EXPECT_EQ(key_at(*write, 0), model::encode_series_key("up", {{"job", "node"}}));
}

TEST(RemoteWriteV2, HistogramsExemplarsAndMetadata) {
  const std::string metadata = Proto().varint(1, 2).varint(3, 5).varint(4, 6).text();
  const std::string series =
      series_v2({1, 2}, {}) +
      Proto().bytes(3, "histogram").bytes(4, "exemplar").bytes(5, metadata).text();
  const auto write = v2(request_v2(kSymbols, {series}));
  ASSERT_TRUE(write);
  EXPECT_FALSE(write->first_refusal);
  EXPECT_EQ(write->histograms, 1U);
  EXPECT_EQ(write->exemplars, 1U);
  ASSERT_EQ(write->metadata.size(), 1U);
  EXPECT_EQ(write->metadata[0].family, "up");
  EXPECT_EQ(write->metadata[0].type, model::MetricType::gauge);
  EXPECT_EQ(write->metadata[0].help, kSymbols[5]);
  EXPECT_EQ(write->metadata[0].unit, kSymbols[6]);
}

TEST(RemoteWriteV2, MetadataOfAFamilyComesOnceAndByTheFamilysName) {
  const std::vector<std::string> symbols{"", "__name__", "h_bucket", "h_count", "le", "1", "the help"};
  const std::string histogram = Proto().bytes(5, Proto().varint(1, 3).varint(3, 6).text()).text();
  const std::string silent = Proto().bytes(5, "").text();
  const auto write = v2(request_v2(
      symbols, {series_v2({1, 2, 4, 5}, {sample(1, kMs)}) + histogram,
                series_v2({1, 2}, {sample(1, kMs)}) + histogram,
                histogram + series_v2({1, 3}, {sample(1, kMs)}), series_v2({1, 3}, {}) + silent,
                series_v2({4, 5}, {sample(1, kMs)}) + histogram}));
  ASSERT_TRUE(write);
  EXPECT_EQ(write->refused_series, 1U) << "the nameless one";
  ASSERT_EQ(write->metadata.size(), 2U) << "of h_bucket and of h_count";
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(write->metadata[i].family, "h");
    EXPECT_EQ(write->metadata[i].help, "the help");
  }
}

TEST(RemoteWriteV2, BrokenMetadataRefusesNothingElse) {
  const std::string good = series_v2({1, 2}, {sample(1, kMs)});
  for (const std::string& broken :
       {Proto().varint(3, 7).text(), Proto().varint(4, ~std::uint64_t{0}).text(), std::string("\x0a")}) {
    const auto write = v2(request_v2(kSymbols, {good + Proto().bytes(5, broken).text()}));
    ASSERT_TRUE(write);
    EXPECT_EQ(write->samples.size(), 1U);
    EXPECT_FALSE(write->first_refusal);
    EXPECT_EQ(write->refused_metadata, 1U);
    EXPECT_TRUE(write->metadata.empty());
  }
}

TEST(RemoteWriteV2, OddOrWildReferencesRefuseThatSeries) {
  const std::string good = series_v2({1, 2}, {sample(1, kMs)});
  for (const std::string& bad :
       {series_v2({1, 2, 3}, {sample(1, kMs)}), series_v2({1, 7}, {sample(1, kMs)}),
        series_v2({1, ~std::uint64_t{0}}, {sample(1, kMs)})}) {
    const auto write = v2(request_v2(kSymbols, {good, bad, good}));
    ASSERT_TRUE(write);
    EXPECT_EQ(write->samples.size(), 2U);
    EXPECT_EQ(write->refused_samples, 1U);
    ASSERT_TRUE(write->first_refusal);
    EXPECT_TRUE(write->first_refusal->field.starts_with("timeseries[1]."))
        << write->first_refusal->field;
  }
}

TEST(RemoteWriteV2, TheFirstSymbolIsEmpty) {
  const auto write = v2(request_v2({"__name__", "up"}, {series_v2({0, 1}, {sample(1, kMs)})}));
  ASSERT_FALSE(write);
  EXPECT_EQ(write.error().field, "symbols[0]");
}

TEST(RemoteWriteV2, AFewBytesDoNotBecomeManyLabels) {
  std::vector<std::string> all(100, series_v2({1, 2, 3, 4}, {sample(1, kMs)}));
  const std::string body = request_v2({"", "__name__", "up", "job", std::string(4000, 'x')}, all);
  const std::size_t key = model::encode_series_key("up", {{"job", std::string(4000, 'x')}}).size();
  EXPECT_TRUE(v2(body, key * 100));
  const auto write = v2(body, key * 100 - 1);
  ASSERT_FALSE(write);
  EXPECT_EQ(write.error().code, Errc::too_large);
}

TEST(RemoteWriteV2, SymbolsAreLimited) {
  std::string body;
  for (int i = 0; i < 1'000'000; ++i) {
    body += std::string("\x22\x00", 2);
  }
  EXPECT_TRUE(v2(body));
  const auto write = v2(body + std::string("\x22\x00", 2));
  ASSERT_FALSE(write);
  EXPECT_EQ(write.error().code, Errc::too_large);
}

}  // namespace
}  // namespace sensus::codec::test
