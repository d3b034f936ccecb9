#include "sensus/codec/snappy_block.hpp"

#include <gtest/gtest.h>

namespace sensus::codec {
namespace {

TEST(SnappyBlock, GoldenBytes) {
  // Length 9; literal "abc"; copy of 6 from 3 back.
  EXPECT_EQ(unpack_snappy("\x09\x08"
                          "abc"
                          "\x09\x03",
                          9)
                .value(),
            "abcabcabc");
  EXPECT_EQ(unpack_snappy(std::string_view("\x00", 1), 0).value(), "");
}

TEST(SnappyBlock, TheDeclaredLengthIsCheckedFirst) {
  EXPECT_EQ(unpack_snappy("\x09\x08"
                          "abc"
                          "\x09\x03",
                          8)
                .error()
                .code,
            Errc::too_large);
  EXPECT_EQ(unpack_snappy("\xff\xff\xff\xff\x0f", 1 << 30).error().code, Errc::too_large);
  // 16 MiB within the limit, but not within what five bytes can hold.
  EXPECT_EQ(unpack_snappy("\x80\x80\x80\x08\x00", 1 << 30).error().code, Errc::invalid_input);
}

TEST(SnappyBlock, DamageIsRefused) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view bad : {""sv, "\xff"sv,
                                     "\x09\x08"
                                     "abc"sv,
                                     "\x09\x08"
                                     "abc\x09\x04"sv,
                                     "\x02\x08"
                                     "abc"sv,
                                     "\xff\x06\x00\x00sNaPpY"sv}) {
    const auto unpacked = unpack_snappy(bad, 1 << 20);
    ASSERT_FALSE(unpacked) << bad;
    EXPECT_EQ(unpacked.error().code, Errc::invalid_input);
  }
}

}  // namespace
}  // namespace sensus::codec
