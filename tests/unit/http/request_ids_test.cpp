#include "http/request_ids_internal.hpp"

#include <gtest/gtest.h>

#include <set>

namespace sensus::http {
namespace {

constexpr std::string_view kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kGood = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(RequestId, SixtyFourSaneCharacters) {
  EXPECT_TRUE(is_request_id("a"));
  EXPECT_TRUE(is_request_id("AZaz09._-"));
  EXPECT_TRUE(is_request_id(std::string(64, 'x')));
  EXPECT_FALSE(is_request_id(std::string(65, 'x')));
  EXPECT_FALSE(is_request_id(""));
  EXPECT_FALSE(is_request_id("a b"));
  EXPECT_FALSE(is_request_id("a\"b"));
  EXPECT_FALSE(is_request_id("a\nb"));
  EXPECT_FALSE(is_request_id("\xc3\xa9"));
}

TEST(Traceparent, GivesItsTraceId) {
  EXPECT_EQ(trace_id_of(kGood), kTrace);
  EXPECT_EQ(trace_id_of("cc" + kGood.substr(2)), kTrace);
  EXPECT_EQ(trace_id_of("cc" + kGood.substr(2) + "-what-ever"), kTrace);
}

TEST(Traceparent, AnythingElseGivesNone) {
  EXPECT_EQ(trace_id_of(""), "");
  EXPECT_EQ(trace_id_of(kGood.substr(0, 54)), "");
  EXPECT_EQ(trace_id_of(kGood + "-x"), "") << "version 00 has nothing after its flags";
  EXPECT_EQ(trace_id_of("cc" + kGood.substr(2) + "x"), "");
  EXPECT_EQ(trace_id_of("ff" + kGood.substr(2)), "");
  EXPECT_EQ(trace_id_of("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), "");
  EXPECT_EQ(trace_id_of("00-00000000000000000000000000000000-b7ad6b7169203331-01"), "");
  EXPECT_EQ(trace_id_of("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"), "");
  EXPECT_EQ(trace_id_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g"), "");
  EXPECT_EQ(trace_id_of("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), "");
}

TEST(IdGenerator, MakesDifferentIdsOfFixedLength) {
  IdGenerator ids(42);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    std::string request_id = "old";
    std::string trace_id = "old";
    ids.make_request_id(request_id);
    ids.make_trace_id(trace_id);
    EXPECT_EQ(request_id.size(), 16U);
    EXPECT_TRUE(is_request_id(request_id));
    EXPECT_EQ(trace_id_of("00-" + trace_id + "-b7ad6b7169203331-01"), trace_id);
    EXPECT_TRUE(seen.insert(request_id).second);
    EXPECT_TRUE(seen.insert(trace_id).second);
  }
}

}  // namespace
}  // namespace sensus::http
