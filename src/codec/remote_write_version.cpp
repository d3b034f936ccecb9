#include "sensus/codec/remote_write.hpp"

#include <algorithm>

namespace sensus::codec {
namespace {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [lower](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

/// Cuts the text before the next semicolon off the front.
std::string_view next_parameter(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(';'), rest.size());
  const std::string_view part = trimmed(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

}  // namespace

std::optional<RemoteWriteVersion> remote_write_version(std::string_view content_type) {
  std::string_view rest = content_type;
  const std::string_view type = next_parameter(rest);
  if (!type.empty() && !equals_ignoring_case(type, "application/x-protobuf")) {
    return std::nullopt;
  }
  std::optional<RemoteWriteVersion> version = RemoteWriteVersion::v1;
  while (!rest.empty()) {
    const std::string_view parameter = next_parameter(rest);
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    if (!equals_ignoring_case(parameter.substr(0, equals), "proto")) {
      continue;
    }
    std::string_view proto = parameter.substr(std::min(equals + 1, parameter.size()));
    if (proto.size() >= 2 && proto.front() == '"' && proto.back() == '"') {
      proto = proto.substr(1, proto.size() - 2);
    }
    if (proto == "io.prometheus.write.v2.Request") {
      version = RemoteWriteVersion::v2;
    } else if (proto != "prometheus.WriteRequest") {
      return std::nullopt;
    }
  }
  return version;
}

}  // namespace sensus::codec
