#include "sensus/llm/untrusted_text.hpp"

#include "sensus/core/utf8.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>

namespace sensus::llm {
namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

/// Characters that a person does not see but a model reads. Newline and tab are handled before.
constexpr std::array kInvisible = {
    Range{0x00, 0x1F},       Range{0x7F, 0x9F},       Range{0xAD, 0xAD},       Range{0x34F, 0x34F},
    Range{0x61C, 0x61C},     Range{0x115F, 0x1160},   Range{0x17B4, 0x17B5},   Range{0x180B, 0x180F},
    Range{0x200B, 0x200F},   Range{0x2028, 0x202E},   Range{0x2060, 0x206F},   Range{0x3164, 0x3164},
    Range{0xFE00, 0xFE0F},   Range{0xFEFF, 0xFEFF},   Range{0xFFA0, 0xFFA0},   Range{0xFFF0, 0xFFFB},
    Range{0xFFFE, 0xFFFF},   Range{0x1D173, 0x1D17A}, Range{0xE0000, 0xE0FFF},
};

bool is_invisible(std::uint32_t code) {
  if (code >= 0x20 && code < 0x7F) {
    return false;
  }
  return std::any_of(kInvisible.begin(), kInvisible.end(),
                     [code](const Range& range) { return code >= range.first && code <= range.last; });
}

void append_visible(std::string& out, std::string_view valid) {
  for (std::size_t i = 0; i < valid.size();) {
    const std::size_t size = utf8_length(valid[i]);
    const std::string_view sequence = valid.substr(i, size);
    i += size;
    if (sequence == "\n" || !is_invisible(decode_utf8(sequence))) {
      out += sequence;
    } else if (sequence == "\t" || sequence == "\r") {
      out += ' ';
    }
  }
}

std::string keep_visible(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t bad = find_invalid_utf8(text);
    const std::size_t good = std::min(bad, text.size());
    append_visible(out, text.substr(0, good));
    text.remove_prefix(good);
    if (!text.empty()) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
    }
  }
  return out;
}

bool starts_with_no_case(std::string_view text, std::string_view prefix) {
  if (text.size() < prefix.size()) {
    return false;
  }
  return std::equal(prefix.begin(), prefix.end(), text.begin(), [](char expected, char actual) {
    return expected == static_cast<char>(std::tolower(static_cast<unsigned char>(actual)));
  });
}

/// Markers of the chat templates of common models, in lower case; the first byte is replaced.
constexpr std::array<std::string_view, 21> kMarkers = {
    "<|",  "<\xEF\xBD\x9C", "|>", "\xEF\xBD\x9C>", "[inst]", "[/inst]", "[system_prompt]", "[/system_prompt]",
    "<<sys>>", "<</sys>>", "<s>", "</s>", "<start_of_turn>", "<end_of_turn>", "<think>", "</think>", "<system>",
    "</system>", "### instruction", "### system", "### response"};
constexpr std::array<std::string_view, 6> kRoles = {"system:", "assistant:", "user:", "human:", "developer:", "tool:"};

bool starts_with_marker(std::string_view text) {
  constexpr std::string_view kFirstBytes = "<|[#\xEF";
  return kFirstBytes.find(text.front()) != std::string_view::npos &&
         std::any_of(kMarkers.begin(), kMarkers.end(), [text](std::string_view m) { return starts_with_no_case(text, m); });
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '*' || text[at] == '#')) {
    ++at;
  }
  return at;
}

/// Copies `text` with markers broken: '(' for an opening bracket, '-' for a role's colon, so the words stay readable.
std::string break_markers(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t line_words = skip_blanks(text, 0);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (i == line_words) {
      const auto* role = std::find_if(kRoles.begin(), kRoles.end(),
                                      [rest](std::string_view r) { return starts_with_no_case(rest, r); });
      if (role != kRoles.end()) {
        out.append(rest.substr(0, role->size() - 1)).append(" -");
        i += role->size() - 1;
        continue;
      }
    }
    if (text[i] == '\n') {
      line_words = skip_blanks(text, i + 1);
    }
    if (!starts_with_marker(rest)) {
      out += text[i];
      continue;
    }
    out += '(';
    // A full-width bar is three bytes: drop the two that follow its first.
    if (static_cast<unsigned char>(text[i]) == 0xEF) {
      i += 2;
    }
  }
  return out;
}

std::string clip(std::string text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) {
    return text;
  }
  std::size_t end = bytes_max > 3 ? bytes_max - 3 : 0;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  text.resize(end);
  return text + "...";
}

}  // namespace

std::string clean_text(std::string_view text, std::size_t bytes_max) {
  // What is far beyond the limit cannot show: a bound on the work for hostile input.
  const std::string visible = keep_visible(text.substr(0, bytes_max * 4 + 64));
  return clip(break_markers(visible), bytes_max);
}

std::string guard_text(std::string_view text, std::size_t bytes_max) {
  // Redaction first sees more than is kept, so that a secret cut in two at the limit is still known as one.
  return clip(redact_secrets(clean_text(text, bytes_max * 2 + 1024)), bytes_max);
}

}  // namespace sensus::llm
