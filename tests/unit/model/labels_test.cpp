#include "sensus/model/labels.hpp"

#include <gtest/gtest.h>

namespace sensus::model {
namespace {

Labels instance_down(const std::string& instance) {
  return {{"severity", "critical"}, {"alertname", "InstanceDown"}, {"job", "prometheus"},
          {"instance", instance},   {"code", "200"},               {"monitor", "codelab-monitor"}};
}

TEST(Labels, AreSortedByNameWhateverTheOrderOfInsertion) {
  const Labels labels{{"b", "2"}, {"a", "1"}, {"c", "3"}};
  std::string names;
  for (const Label& label : labels) {
    names += label.name;
  }
  EXPECT_EQ(names, "abc");
  EXPECT_EQ(labels, (Labels{{"c", "3"}, {"a", "1"}, {"b", "2"}}));
}

TEST(Labels, SetReplacesTheValueOfAKnownName) {
  Labels labels{{"a", "1"}};
  labels.set("a", "2");
  EXPECT_EQ(labels.size(), 1U);
  EXPECT_EQ(labels.get("a"), "2");
}

TEST(Labels, FindTellsAbsentFromEmpty) {
  const Labels labels{{"a", ""}};
  ASSERT_NE(labels.find("a"), nullptr);
  EXPECT_EQ(*labels.find("a"), "");
  EXPECT_EQ(labels.find("b"), nullptr);
  EXPECT_EQ(labels.get("b"), "");
}

TEST(Labels, EraseIgnoresUnknownNames) {
  Labels labels{{"a", "1"}, {"b", "2"}};
  labels.erase("x");
  EXPECT_EQ(labels.size(), 2U);
  labels.erase("a");
  EXPECT_EQ(labels, (Labels{{"b", "2"}}));
}

TEST(Fingerprint, EqualsAlertmanagersForItsPublishedSample) {
  EXPECT_EQ(fingerprint_of(instance_down("127.0.0.1:9090")), "791cec13fcba0368");
  EXPECT_EQ(fingerprint_of(instance_down("localhost:9090")), "8df98227bdd81384");
}

TEST(Fingerprint, OfNothingIsTheOffsetBasis) { EXPECT_EQ(fingerprint_of({}), "cbf29ce484222325"); }

TEST(LabelsHash, DependsOnTheSetAndNotOnItsOrder) {
  EXPECT_EQ(hash_labels({{"a", "1"}, {"b", "2"}}), hash_labels({{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(hash_labels({{"a", "1"}}), hash_labels({{"a", "2"}}));
  EXPECT_NE(hash_labels({{"a", "bc"}}), hash_labels({{"ab", "c"}}));
}

TEST(LabelsHash, IsBlake2bOfSixteenBytes) {
  // BLAKE2b-128 of the empty input, as `b2sum -l 128 /dev/null` prints it.
  const LabelsHash hash = hash_labels({});
  const LabelsHash expected{{0xca, 0xe6, 0x69, 0x41, 0xd9, 0xef, 0xbd, 0x40, 0x4e, 0x4d, 0x88, 0x75, 0x8e, 0xa6, 0x76, 0x70}};
  EXPECT_EQ(hash, expected);
}

TEST(SeriesKey, RoundTrips) {
  const Labels labels{{"host", "server-1"}, {"größe", ""}, {"a", "x=\"y\""}};
  const std::string key = encode_series_key("cpu_usage", labels);
  const auto back = decode_series_key(key);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->metric_name, "cpu_usage");
  EXPECT_EQ(back->labels, labels);
  const auto bare = decode_series_key(encode_series_key("up", {}));
  ASSERT_TRUE(bare.has_value());
  EXPECT_EQ(bare->metric_name, "up");
  EXPECT_TRUE(bare->labels.empty());
}

TEST(SeriesKey, DecodeRefusesForeignBytes) {
  EXPECT_FALSE(decode_series_key("").has_value());
  EXPECT_FALSE(decode_series_key("up").has_value());
  EXPECT_FALSE(decode_series_key("up\xFFname\xFF").has_value());
  EXPECT_FALSE(decode_series_key("up\xFFname\xFFvalue").has_value());
  EXPECT_FALSE(decode_series_key("up\xFF" "b\xFF" "1\xFF" "a\xFF" "2\xFF").has_value()) << "not sorted";
  EXPECT_FALSE(decode_series_key("up\xFF" "a\xFF" "1\xFF" "a\xFF" "2\xFF").has_value()) << "not unique";
}

TEST(SeriesKey, HashTellsNameFromLabels) {
  EXPECT_NE(hash_series_key(encode_series_key("a", {{"b", "c"}})), hash_series_key(encode_series_key("b", {{"a", "c"}})));
}

}  // namespace
}  // namespace sensus::model
