#include "escape_internal.hpp"

#include "sensus/core/utf8.hpp"

#include <array>
#include <cstdint>
#include <cstdio>

namespace sensus::telemetry {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Characters that move the cursor, hide, or reorder what is around them.
bool is_unsafe(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0xAD || c == 0x61C || (c >= 0x200B && c <= 0x200F) ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB) ||
         (c >= 0xE0000 && c <= 0xE007F);
}

void append_unit(std::string& out, std::uint32_t unit) {
  std::array<char, 8> buffer{};
  const int length = std::snprintf(buffer.data(), buffer.size(), "\\u%04x", static_cast<unsigned>(unit));
  out.append(buffer.data(), static_cast<std::size_t>(length));
}

void append_code_point(std::string& out, std::uint32_t c) {
  if (c >= 0x10000) {
    append_unit(out, 0xD800U + ((c - 0x10000U) >> 10U));
    append_unit(out, 0xDC00U + ((c - 0x10000U) & 0x3FFU));
    return;
  }
  switch (c) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      append_unit(out, c);
  }
}

/// Takes the next character off `rest`; an empty result stands for one invalid byte. A cut-off sequence never decodes.
std::string_view take_character(std::string_view& rest) {
  const std::size_t length = utf8_length(rest.front());
  const std::string_view sequence = rest.substr(0, length);
  if (sequence.size() < length || !is_utf8(sequence)) {
    rest.remove_prefix(1);
    return {};
  }
  rest.remove_prefix(length);
  return sequence;
}

void append(std::string& out, std::string_view text, bool quoted) {
  std::string_view rest = text.substr(0, kTextBytesMax);
  while (!rest.empty()) {
    const bool cut_by_limit = text.size() > kTextBytesMax && rest.size() < 4;
    const std::string_view character = take_character(rest);
    if (character.empty()) {
      if (!cut_by_limit) {
        out += kReplacement;
      }
      continue;
    }
    const std::uint32_t c = decode_utf8(character);
    if (is_unsafe(c)) {
      append_code_point(out, c);
      continue;
    }
    if (quoted && (c == '"' || c == '\\')) {
      out += '\\';
    }
    out += character;
  }
  if (text.size() > kTextBytesMax) {
    out += "...";
  }
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append(out, text, true);
  out += '"';
}

void append_escaped(std::string& out, std::string_view text) { append(out, text, false); }

bool is_plain_word(std::string_view text) {
  if (text.empty() || text.size() > kTextBytesMax) {
    return false;
  }
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F || c == '"' || c == '\\' || c == '=') {
      return false;
    }
  }
  return true;
}

std::string make_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::string_view character = take_character(text);
    out += character.empty() ? kReplacement : character;
  }
  return out;
}

}  // namespace sensus::telemetry
