#include "json_text_internal.hpp"

#include "sensus/core/utf8.hpp"

namespace sensus::http {
namespace {

void append_control(char c, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  out += "\\u00";
  out.push_back(kDigits[byte >> 4U]);
  out.push_back(kDigits[byte & 0xfU]);
}

void append_escaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      append_control(c, out);
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace

void append_json_text(std::string_view text, std::string& out) {
  out.push_back('"');
  while (!text.empty()) {
    const std::size_t bad = find_invalid_utf8(text);
    append_escaped(text.substr(0, bad), out);
    if (bad == std::string_view::npos) {
      break;
    }
    out += "\\ufffd";
    text.remove_prefix(bad + 1);
  }
  out.push_back('"');
}

}  // namespace sensus::http
