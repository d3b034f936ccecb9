#include "sealed_state_internal.hpp"

#include "u64_internal.hpp"

namespace sensus::analysis {
namespace {

constexpr std::string_view kMagic = "SDS";
constexpr char kFormat = '1';
constexpr std::size_t kSumBytes = 8;

/// Finds accidents, not forgeries. Eight bytes at a time: states are tens of kilobytes and come by
/// the thousand.
std::uint64_t sum_of(std::string_view bytes) {
  std::uint64_t hash = 0x9E3779B97F4A7C15ULL ^ bytes.size();
  while (bytes.size() >= 8) {
    hash = (hash ^ read_u64(bytes)) * 0xFF51AFD7ED558CCDULL;
    hash ^= hash >> 32U;
    bytes.remove_prefix(8);
  }
  for (const char c : bytes) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0xC4CEB9FE1A85EC53ULL;
    hash ^= hash >> 29U;
  }
  return hash;
}

std::string header_of(const StateLabel& label) {
  std::string out;
  append_u64(out, static_cast<std::uint64_t>(label.key.tenant));
  append_u64(out, static_cast<std::uint64_t>(label.key.series));
  append_u64(out, static_cast<std::uint64_t>(to_unix_us(label.last_time)));
  append_u64(out, label.model_key.size());
  return out.append(label.model_key);
}

}  // namespace

std::string seal_state(const StateLabel& label, std::string_view detector) {
  std::string out(kMagic);
  out.push_back(kFormat);
  out.append(header_of(label)).append(detector);
  append_u64(out, sum_of(out));
  return out;
}

OpenedState open_state(const StateLabel& label, std::string_view sealed) {
  if (sealed.size() < kMagic.size() + 1 + kSumBytes || !sealed.starts_with(kMagic)) {
    return {SealFlaw::damaged, {}};
  }
  std::string_view body = sealed.substr(0, sealed.size() - kSumBytes);
  if (sum_of(body) != read_u64(sealed.substr(body.size()))) {
    return {SealFlaw::damaged, {}};
  }
  if (body[kMagic.size()] != kFormat) {
    return {SealFlaw::other_format, {}};
  }
  body.remove_prefix(kMagic.size() + 1);
  const std::string header = header_of(label);
  if (!body.starts_with(header)) {
    return {SealFlaw::other_label, {}};
  }
  return {SealFlaw::none, body.substr(header.size())};
}

}  // namespace sensus::analysis
