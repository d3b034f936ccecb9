#include "sensus/pg/copy_buffer.hpp"

#include <gtest/gtest.h>

namespace sensus::pg {
namespace {

constexpr std::size_t kHeaderBytes = 19;

TEST(CopyBuffer, BeginsWithTheSignature) {
  const CopyBuffer copy;
  EXPECT_EQ(copy.data().substr(0, 11), std::string("PGCOPY\n\377\r\n\0", 11));
  EXPECT_EQ(copy.data().size(), kHeaderBytes);
  EXPECT_EQ(copy.rows(), 0U);
}

TEST(CopyBuffer, WritesBigEndianFieldsWithLengths) {
  CopyBuffer copy;
  copy.begin_row(3);
  copy.int32(-2);
  copy.null();
  copy.text("ab");
  EXPECT_EQ(copy.data().substr(kHeaderBytes), std::string("\0\3"
                                                          "\0\0\0\4\377\377\377\376"
                                                          "\377\377\377\377"
                                                          "\0\0\0\2ab",
                                                          20));
  EXPECT_EQ(copy.rows(), 1U);
}

TEST(CopyBuffer, CountsTimeFrom2000) {
  CopyBuffer copy;
  copy.time(from_unix_us(946'684'800'000'001));
  EXPECT_EQ(copy.data().substr(kHeaderBytes), std::string("\0\0\0\10\0\0\0\0\0\0\0\1", 12));
}

TEST(CopyBuffer, AnArraySaysItsWholeLength) {
  CopyBuffer copy;
  copy.begin_int32_array(2);
  copy.int32(1);
  copy.int32(2);
  const std::string field = copy.data().substr(kHeaderBytes);
  EXPECT_EQ(field.size(), 4U + 36U);
  EXPECT_EQ(field[3], 36);
}

}  // namespace
}  // namespace sensus::pg
