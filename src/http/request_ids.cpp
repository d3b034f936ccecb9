#include "request_ids_internal.hpp"

#include <algorithm>
#include <cstddef>

namespace sensus::http {
namespace {

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool all_lower_hex(std::string_view text) { return std::all_of(text.begin(), text.end(), is_lower_hex); }

bool all_zero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

void append_hex(std::uint64_t value, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) {
    out.push_back(kDigits[(value >> shift) & 0xfU]);
  }
}

}  // namespace

bool is_request_id(std::string_view text) {
  constexpr std::size_t kLengthMax = 64;
  return !text.empty() && text.size() <= kLengthMax && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-';
  });
}

std::string_view trace_id_of(std::string_view traceparent) {
  constexpr std::size_t kLength = 55;  // 2 + 1 + 32 + 1 + 16 + 1 + 2
  if (traceparent.size() < kLength || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-') {
    return {};
  }
  const std::string_view version = traceparent.substr(0, 2);
  const std::string_view trace_id = traceparent.substr(3, 32);
  const std::string_view parent_id = traceparent.substr(36, 16);
  const std::string_view flags = traceparent.substr(53, 2);
  if (!all_lower_hex(version) || !all_lower_hex(trace_id) || !all_lower_hex(parent_id) || !all_lower_hex(flags)) {
    return {};
  }
  if (version == "ff" || all_zero(trace_id) || all_zero(parent_id)) {
    return {};
  }
  const bool exact = traceparent.size() == kLength;
  if (!exact && (version == "00" || traceparent[kLength] != '-')) {
    return {};
  }
  return trace_id;
}

IdGenerator::IdGenerator(std::uint64_t seed) : state_(seed) {}

std::uint64_t IdGenerator::next() {
  // SplitMix64 (Steele, Lea, Flood 2014): one addition and a mixing function, a period of 2^64.
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

void IdGenerator::make_request_id(std::string& out) {
  out.clear();
  append_hex(next(), out);
}

void IdGenerator::make_trace_id(std::string& out) {
  out.clear();
  append_hex(next() | 1U, out);
  append_hex(next(), out);
}

}  // namespace sensus::http
