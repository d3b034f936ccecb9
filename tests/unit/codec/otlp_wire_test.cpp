#include "codec/otlp_wire_internal.hpp"

#include <gtest/gtest.h>

#include <string>

namespace sensus::codec {
namespace {

using namespace std::string_literals;

TEST(OtlpWire, FieldsOfEveryType) {
  const std::string message = "\x08\xAC\x02"s + "\x12\x02hi"s +
                              "\x19\x00\x00\x00\x00\x00\x00\xF8\x3F"s + "\x25\x01\x00\x00\x00"s;
  WireReader in(message);
  ASSERT_TRUE(in.next());
  EXPECT_EQ(in.tag(), WireReader::tag_of(1, WireReader::varint));
  EXPECT_EQ(in.number(), 300U);
  ASSERT_TRUE(in.next());
  EXPECT_EQ(in.field(), 2U);
  EXPECT_EQ(in.view(), "hi");
  ASSERT_TRUE(in.next());
  EXPECT_EQ(in.real(), 1.5);
  ASSERT_TRUE(in.next());
  EXPECT_EQ(in.tag(), WireReader::tag_of(4, WireReader::fixed32));
  EXPECT_EQ(in.number(), 1U);
  EXPECT_FALSE(in.next());
  EXPECT_TRUE(in.ok());
}

TEST(OtlpWire, TheLargestVarintAndOneMore) {
  WireReader largest("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");
  ASSERT_TRUE(largest.next());
  EXPECT_EQ(largest.number(), ~std::uint64_t{0});
  WireReader more("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02");
  EXPECT_FALSE(more.next());
  EXPECT_FALSE(more.ok());
}

TEST(OtlpWire, WhatIsMalformedStaysMalformed) {
  for (const std::string& bad :
       {"\x80"s, "\x08"s, "\x08\x80"s, "\x00\x01"s, "\x0B"s, "\x0C"s, "\x0E"s, "\x0F"s,
        "\x12\x03hi"s, "\x19\x00"s, "\x25\x00"s, "\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s,
        "\x88\x80\x80\x80\x80\x01\x00"s}) {
    WireReader in(bad);
    EXPECT_FALSE(in.next());
    EXPECT_FALSE(in.ok());
    EXPECT_FALSE(in.next());
  }
}

}  // namespace
}  // namespace sensus::codec
