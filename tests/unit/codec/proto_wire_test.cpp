#include "codec/proto_reader_internal.hpp"
#include "codec/proto_writer_internal.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace sensus::codec {
namespace {

using namespace std::string_literals;

TEST(ProtoWire, FieldsOfEveryType) {
  const std::string message = "\x08\xAC\x02"s + "\x12\x02hi"s +
                              "\x19\x00\x00\x00\x00\x00\x00\xF8\x3F"s + "\x25\x01\x00\x00\x00"s;
  ProtoReader in(message);
  ProtoField field;
  ASSERT_TRUE(in.next(field));
  EXPECT_EQ(field.tag(), proto_tag(1, WireType::varint));
  EXPECT_EQ(field.scalar, 300U);
  ASSERT_TRUE(in.next(field));
  EXPECT_EQ(field.tag(), proto_tag(2, WireType::bytes));
  EXPECT_EQ(field.bytes, "hi");
  ASSERT_TRUE(in.next(field));
  EXPECT_EQ(field.as_double(), 1.5);
  ASSERT_TRUE(in.next(field));
  EXPECT_EQ(field.tag(), proto_tag(4, WireType::fixed32));
  EXPECT_EQ(field.scalar, 1U);
  EXPECT_FALSE(in.next(field));
  EXPECT_TRUE(in.ok());
}

TEST(ProtoWire, TheLargestVarintAndOneMore) {
  ProtoField field;
  ProtoReader largest("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");
  ASSERT_TRUE(largest.next(field));
  EXPECT_EQ(field.scalar, ~std::uint64_t{0});
  ProtoReader more("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02");
  EXPECT_FALSE(more.next(field));
  EXPECT_FALSE(more.ok());
}

TEST(ProtoWire, PackedNumbers) {
  std::uint64_t value = 0;
  const std::string fifteen = "\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00"s;
  ProtoReader words(fifteen);
  ASSERT_TRUE(words.next_word(value));
  EXPECT_EQ(value, 1U);
  EXPECT_FALSE(words.next_word(value));
  EXPECT_FALSE(words.ok());
  ProtoReader varints("\x01\xAC\x02");
  ASSERT_TRUE(varints.next_varint(value) && varints.next_varint(value));
  EXPECT_EQ(value, 300U);
  EXPECT_FALSE(varints.next_varint(value));
  EXPECT_TRUE(varints.ok());
}

TEST(ProtoWire, WhatIsMalformedStaysMalformed) {
  for (const std::string& bad :
       {"\x80"s, "\x08"s, "\x08\x80"s, "\x00\x01"s, "\x0B"s, "\x0C"s, "\x0E"s, "\x0F"s,
        "\x12\x03hi"s, "\x19\x00"s, "\x25\x00"s, "\x12\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s,
        "\x88\x80\x80\x80\x80\x01\x00"s}) {
    ProtoReader in(bad);
    ProtoField field;
    EXPECT_FALSE(in.next(field));
    EXPECT_FALSE(in.ok());
    EXPECT_FALSE(in.next(field));
  }
}

TEST(ProtoWire, WritesTheBytesOfProtobuf) {
  ProtoWriter out;
  out.varint(1, 300).bytes(2, "hi").real(3, 1.5).integer(4, -1);
  EXPECT_EQ(out.take(), "\x08\xAC\x02"s + "\x12\x02hi"s + "\x19\x00\x00\x00\x00\x00\x00\xF8\x3F"s +
                            "\x20\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s);
  EXPECT_EQ(out.text(), "");
}

TEST(ProtoWire, ReadsWhatItWrote) {
  ProtoWriter out;
  out.integer(1, std::numeric_limits<std::int64_t>::min());
  out.bytes(2000, ProtoWriter().varint(1, 7).text());
  ProtoReader in(out.text());
  ProtoField field;
  ASSERT_TRUE(in.next(field));
  EXPECT_EQ(field.as_int64(), std::numeric_limits<std::int64_t>::min());
  ASSERT_TRUE(in.next(field));
  EXPECT_EQ(field.number, 2000U);
  ProtoReader nested(field.bytes);
  ASSERT_TRUE(nested.next(field));
  EXPECT_EQ(field.scalar, 7U);
}

}  // namespace
}  // namespace sensus::codec
