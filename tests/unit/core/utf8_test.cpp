#include "sensus/core/utf8.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace sensus {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

TEST(Utf8, AcceptsTheEdgesOfEveryLength) {
  for (const char* text : {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "größe 😀 zwölf"}) {
    EXPECT_EQ(find_invalid_utf8(text), kNone) << text;
  }
  EXPECT_TRUE(is_utf8(std::string_view("a\0b", 3))) << "NUL is a character; who forbids it says so";
}

TEST(Utf8, DecodesTheEdgesOfEveryLength) {
  const std::pair<const char*, std::uint32_t> cases[] = {{"a", 'a'},           {"\x7F", 0x7F},         {"\xC2\x80", 0x80},
                                                         {"\xDF\xBF", 0x7FF},  {"\xE0\xA0\x80", 0x800}, {"\xEF\xBF\xBF", 0xFFFF},
                                                         {"\xF0\x90\x80\x80", 0x10000}, {"\xF4\x8F\xBF\xBF", 0x10FFFF}};
  for (const auto& [text, code] : cases) {
    const std::string_view sequence = text;
    EXPECT_EQ(utf8_length(sequence.front()), sequence.size()) << text;
    EXPECT_EQ(decode_utf8(sequence), code) << text;
  }
}

TEST(Utf8, FindsTheFirstBadByte) {
  struct Case {
    const char* text;
    std::size_t at;
  };
  for (const Case& c : {Case{"\x80", 0}, {"ab\xFF", 2}, {"\xC0\xAF", 0}, {"\xC1\xBF", 0}, {"\xE0\x9F\xBF", 0}, {"\xED\xA0\x80", 0}, {"\xED\xBF\xBF", 0},
                        {"\xF0\x8F\xBF\xBF", 0}, {"\xF4\x90\x80\x80", 0}, {"\xF5\x80\x80\x80", 0}, {"\xC2", 0}, {"x\xE2\x82", 1}, {"\xF0\x9F\x98", 0},
                        {"\xC2\x41", 0}, {"\xE2\x82\x41", 0}, {"\xFE", 0}}) {
    EXPECT_EQ(find_invalid_utf8(c.text), c.at) << c.text;
  }
}

TEST(Utf8, FindsABadByteAtEveryOffset) {
  // The fast path looks at eight bytes at once.
  for (std::size_t size = 1; size <= 40; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'a');
      text[at] = static_cast<char>(0xBF);
      EXPECT_EQ(find_invalid_utf8(text), at);
    }
  }
}

}  // namespace
}  // namespace sensus
