#include "remote_write_metadata_internal.hpp"

#include "proto_reader_internal.hpp"

namespace sensus::codec {
namespace {

/// Numbers that a later version may send are of no known type.
model::MetricType type_of(std::uint64_t number) {
  constexpr auto kLast = static_cast<std::uint64_t>(model::MetricType::state_set);
  return number <= kLast ? static_cast<model::MetricType>(number) : model::MetricType::unknown;
}

}  // namespace

std::optional<model::MetadataBatch::View> read_metadata_v1(std::string_view message) {
  model::MetadataBatch::View out;
  ProtoReader in(message);
  ProtoField field;
  while (in.next(field)) {
    switch (field.tag()) {
      case proto_tag(1, WireType::varint): out.type = type_of(field.scalar); break;
      case proto_tag(2, WireType::bytes): out.family = field.bytes; break;
      case proto_tag(4, WireType::bytes): out.help = field.bytes; break;
      case proto_tag(5, WireType::bytes): out.unit = field.bytes; break;
      default: break;
    }
  }
  return in.ok() ? std::optional(out) : std::nullopt;
}

std::optional<MetadataRefs> read_metadata_v2(std::string_view message) {
  MetadataRefs out;
  ProtoReader in(message);
  ProtoField field;
  while (in.next(field)) {
    switch (field.tag()) {
      case proto_tag(1, WireType::varint): out.type = type_of(field.scalar); break;
      case proto_tag(3, WireType::varint): out.help = field.scalar; break;
      case proto_tag(4, WireType::varint): out.unit = field.scalar; break;
      default: break;
    }
  }
  return in.ok() ? std::optional(out) : std::nullopt;
}

}  // namespace sensus::codec
