#include "http/framing_guard_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::http {
namespace {

HeadFacts sane() {
  HeadFacts facts;
  facts.http11 = true;
  facts.host_fields = 1;
  facts.host_valid = true;
  return facts;
}

constexpr std::string_view kHead = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(FramingGuard, PassesASaneHead) {
  EXPECT_FALSE(check_framing(sane(), kHead));
  HeadFacts chunked = sane();
  chunked.transfer_encoding_fields = 1;
  chunked.transfer_encoding_is_chunked = true;
  chunked.chunked = true;
  EXPECT_FALSE(check_framing(chunked, kHead));
}

TEST(FramingGuard, TransferEncodingStandsAlone) {
  HeadFacts facts = sane();
  facts.transfer_encoding_fields = 1;
  EXPECT_TRUE(check_framing(facts, kHead)) << "a coding that the parser ignores";
  facts.transfer_encoding_is_chunked = true;
  facts.chunked = true;
  facts.http11 = false;
  EXPECT_TRUE(check_framing(facts, kHead)) << "HTTP/1.0";
  facts.http11 = true;
  facts.content_length_fields = 1;
  EXPECT_TRUE(check_framing(facts, kHead)) << "beside Content-Length";
  facts.content_length_fields = 0;
  facts.transfer_encoding_fields = 2;
  EXPECT_TRUE(check_framing(facts, kHead)) << "twice";
}

TEST(FramingGuard, ContentLengthOnce) {
  HeadFacts facts = sane();
  facts.content_length_fields = 2;
  EXPECT_TRUE(check_framing(facts, kHead));
  facts.content_length_fields = 1;
  EXPECT_FALSE(check_framing(facts, kHead));
  facts.content_length_list = true;
  EXPECT_TRUE(check_framing(facts, kHead));
}

TEST(FramingGuard, HostOnce) {
  HeadFacts facts = sane();
  facts.host_fields = 0;
  EXPECT_EQ(check_framing(facts, kHead)->reason, "host");
  facts.http11 = false;
  EXPECT_FALSE(check_framing(facts, kHead)) << "HTTP/1.0 may come without";
  facts.host_fields = 2;
  EXPECT_TRUE(check_framing(facts, kHead));
  facts = sane();
  facts.host_valid = false;
  EXPECT_TRUE(check_framing(facts, kHead));
}

TEST(FramingGuard, NoFoldedLines) {
  EXPECT_TRUE(check_framing(sane(), "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n"));
  EXPECT_TRUE(check_framing(sane(), "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tb\r\n\r\n"));
}

TEST(Host, IsNameOrAddressWithPort) {
  for (const char* good : {"localhost", "localhost:8080", "10.0.0.1:80", "[::1]", "[2001:db8::1]:8080", "a-b.c_d", "h:"}) {
    EXPECT_TRUE(is_host(good)) << good;
  }
  for (const char* bad : {"", " ", "a b", "a/b", "user@h", "h:port", "h:123456", "[::1", "[]", "[::1]x", ":80",
                          "h:80:80", "a\"b", "[g/h]"}) {
    EXPECT_FALSE(is_host(bad)) << bad;
  }
}

}  // namespace
}  // namespace sensus::http
