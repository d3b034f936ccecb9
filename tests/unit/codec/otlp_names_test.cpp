#include "codec/otlp_names_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::codec::otlp {
namespace {

TEST(OtlpNames, MetricNamesAndUnits) {
  struct Case {
    const char* name;
    const char* unit;
    NameKind kind;
    const char* expected;
  };
  const auto gauge = NameKind::gauge;
  const auto sum = NameKind::monotonic_sum;
  const auto other = NameKind::other;
  for (const Case& c : {
           Case{"http.server.duration", "s", other, "http_server_duration_seconds"},
           Case{"http.server.duration_seconds", "s", other, "http_server_duration_seconds"},
           Case{"system.network.io", "By", sum, "system_network_io_bytes_total"},
           Case{"requests_total", "", sum, "requests_total"},
           Case{"total.requests", "", sum, "requests_total"},
           Case{"requests", "{request}", sum, "requests_total"},
           Case{"rate", "By/s", gauge, "rate_bytes_per_second"},
           Case{"rate", "{packet}/s", gauge, "rate_per_second"},
           Case{"rate.per.second", "1/s", gauge, "rate_per_second"},
           Case{"speed", "m/s", gauge, "speed_meters_per_second"},
           Case{"rpm", "1/m", gauge, "rpm_per_minute"},
           Case{"system.cpu.utilization", "1", gauge, "system_cpu_utilization_ratio"},
           Case{"hits", "1", sum, "hits_total"},
           Case{"humidity", "%", gauge, "humidity_percent"},
           Case{"length", "furlong", gauge, "length_furlong"},
           Case{"length", " KiBy ", gauge, "length_kibibytes"},
           Case{"odd", "a//b", gauge, "odd_a_per_b"},
           Case{"a..b--c", "", gauge, "a_b_c"},
           Case{"job:latency:p99", "", gauge, "job:latency:p99"},
           Case{"2xx.count", "", gauge, "_2xx_count"},
           Case{"gr\xC3\xB6\xC3\x9F"
                "e",
                "", gauge, "gr_e"},
           Case{"...", "s", gauge, ""},
           Case{"", "", gauge, ""},
       }) {
    EXPECT_EQ(metric_name_of(c.name, c.unit, c.kind), c.expected) << c.name << " " << c.unit;
  }
}

TEST(OtlpNames, LabelNames) {
  EXPECT_EQ(label_name_of("http.status_code"), "http_status_code");
  EXPECT_EQ(label_name_of("1st"), "key_1st");
  EXPECT_EQ(label_name_of("_own"), "key_own");
  EXPECT_EQ(label_name_of("__name__"), "key_name_");
  EXPECT_EQ(label_name_of("a..b"), "a_b");
  EXPECT_EQ(label_name_of(""), "");
}

TEST(OtlpNames, KeysThatBecomeOne) {
  std::vector<Attribute> attributes = {{"a_b", "2"}, {"a.b", "1"}, {"c", "old"},
                                       {"c", "new"}, {"d", ""},    {"", "x"}};
  EXPECT_EQ(labels_of(attributes), (model::Labels{{"a_b", "1;2"}, {"c", "new"}}));
}

}  // namespace
}  // namespace sensus::codec::otlp
