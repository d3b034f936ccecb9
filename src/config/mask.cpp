#include "document_internal.hpp"

#include <algorithm>
#include <cctype>

namespace sensus::config {
namespace {

constexpr std::string_view kMask = "<secret>";
constexpr std::string_view kKey = "password";

/// The password between `scheme://user:` and `@host`.
void mask_user_info(std::string& text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) {
    return;
  }
  const std::size_t begin = scheme + 3;
  std::size_t at = text.rfind('@', std::min(text.find('/', begin), text.size()));
  if (at == std::string::npos || at < begin) {
    at = text.rfind('@');  // A password with a slash in it that somebody forgot to encode.
  }
  const std::size_t colon = text.find(':', begin);
  if (at != std::string::npos && at >= begin && colon < at) {
    text.replace(colon + 1, at - colon - 1, kMask);
  }
}

std::size_t end_of_value(const std::string& text, std::size_t begin) {
  if (begin >= text.size() || text[begin] != '\'') {
    return std::min(text.find_first_of(" \t\n&", begin), text.size());
  }
  std::size_t end = begin + 1;
  while (end < text.size() && text[end] != '\'') {
    end += text[end] == '\\' ? 2 : 1;
  }
  return std::min(end + 1, text.size());
}

/// What follows `password=` (and `sslpassword=`), as libpq reads it in both of its forms.
void mask_keywords(std::string& text) {
  const auto is_space = [&text](std::size_t i) { return std::isspace(static_cast<unsigned char>(text[i])) != 0; };
  for (std::size_t at = text.find(kKey); at != std::string::npos; at = text.find(kKey, at)) {
    at += kKey.size();
    std::size_t value = at;
    while (value < text.size() && is_space(value)) {
      ++value;
    }
    if (value >= text.size() || text[value] != '=') {
      continue;
    }
    ++value;
    while (value < text.size() && is_space(value)) {
      ++value;
    }
    text.replace(value, end_of_value(text, value) - value, kMask);
    at = value + kMask.size();
  }
}

}  // namespace

std::string mask_passwords(std::string text) {
  mask_user_info(text);
  mask_keywords(text);
  return text;
}

}  // namespace sensus::config
