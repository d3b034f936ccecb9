#include "sensus/core/byte_size.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace sensus {
namespace {

TEST(ByteSize, ParsesEveryUnit) {
  EXPECT_EQ(parse_byte_size("0B").value().bytes, 0U);
  EXPECT_EQ(parse_byte_size("100B").value().bytes, 100U);
  EXPECT_EQ(parse_byte_size("512KiB").value(), 512_KiB);
  EXPECT_EQ(parse_byte_size("64MiB").value(), 64_MiB);
  EXPECT_EQ(parse_byte_size("2GiB").value().bytes, 2ULL << 30U);
}

TEST(ByteSize, RefusesWhatIsNotASize) {
  for (const char* text : {"", "64", "MiB", "-1B", "+1B", "1.5MiB", "64 MiB", "64mib", "64MB", "64MiBs", " 64MiB", "0x10B"}) {
    const auto result = parse_byte_size(text);
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().code, Errc::invalid_input);
    EXPECT_NE(result.error().message.find("64MiB"), std::string::npos) << "the message shows how it is written";
  }
}

TEST(ByteSize, RefusesWhatDoesNotFit) {
  EXPECT_TRUE(parse_byte_size("17179869183GiB"));
  EXPECT_FALSE(parse_byte_size("17179869184GiB"));
  EXPECT_TRUE(parse_byte_size("18446744073709551615B"));
  EXPECT_FALSE(parse_byte_size("18446744073709551616B"));
}

TEST(ByteSize, RendersTheLargestUnitThatDividesAndReadsBack) {
  EXPECT_EQ(render_byte_size({0}), "0B");
  EXPECT_EQ(render_byte_size({1023}), "1023B");
  EXPECT_EQ(render_byte_size({1024}), "1KiB");
  EXPECT_EQ(render_byte_size({1025}), "1025B");
  EXPECT_EQ(render_byte_size(1536_KiB), "1536KiB");
  EXPECT_EQ(render_byte_size({std::size_t{3} << 30U}), "3GiB");
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4096}, std::size_t{123456789}, std::numeric_limits<std::size_t>::max()}) {
    EXPECT_EQ(parse_byte_size(render_byte_size({bytes})).value().bytes, bytes);
  }
}

}  // namespace
}  // namespace sensus
