#include "sensus/codec/remote_read.hpp"

#include "sensus/core/utf8.hpp"

#include "proto_reader_internal.hpp"
#include "proto_writer_internal.hpp"

#include <algorithm>
#include <limits>

namespace sensus::codec {
namespace {

using model::SeriesMatcher;
using model::SeriesMatchOp;

constexpr std::int64_t kMillisMax = 253'402'300'799'000;  // 9999-12-31T23:59:59Z
constexpr std::uint64_t kSamples = 0;                     // Of ReadRequest.ResponseType.

Error damaged() {
  return make_error(Errc::invalid_input, "the body is not a prometheus.ReadRequest");
}

Result<SeriesMatcher> parse_matcher(std::string_view message) {
  SeriesMatcher out;
  ProtoField field;
  for (ProtoReader in(message); true;) {
    if (!in.next(field)) {
      if (!in.ok()) {
        return damaged();
      }
      break;
    }
    switch (field.tag()) {
      case proto_tag(1, WireType::varint):
        if (field.scalar > static_cast<std::uint64_t>(SeriesMatchOp::not_regex)) {
          return make_error(Errc::invalid_input, "a matcher of a kind that is not known");
        }
        out.op = static_cast<SeriesMatchOp>(field.scalar);
        break;
      case proto_tag(2, WireType::bytes): out.name = field.bytes; break;
      case proto_tag(3, WireType::bytes): out.value = field.bytes; break;
      default: break;
    }
  }
  const bool text = is_utf8(out.name) && is_utf8(out.value) &&
                    out.name.find('\0') == std::string::npos &&
                    out.value.find('\0') == std::string::npos;
  if (!text || out.name.empty()) {
    return make_error(Errc::invalid_input,
                      "a matcher without a name, or one that is not UTF-8 text without NUL");
  }
  return out;
}

Result<Timestamp> time_of(std::int64_t millis) {
  return from_unix_us(std::clamp<std::int64_t>(millis, 0, kMillisMax) * 1000);
}

Result<RemoteReadQuery> parse_query(std::string_view message) {
  RemoteReadQuery out;
  std::int64_t from_ms = 0;
  std::int64_t to_ms = 0;
  std::size_t bytes = 0;
  ProtoField field;
  for (ProtoReader in(message); true;) {
    if (!in.next(field)) {
      if (!in.ok()) {
        return damaged();
      }
      break;
    }
    switch (field.tag()) {
      case proto_tag(1, WireType::varint): from_ms = field.as_int64(); break;
      case proto_tag(2, WireType::varint): to_ms = field.as_int64(); break;
      case proto_tag(3, WireType::bytes): {
        bytes += field.bytes.size();
        if (out.selector.size() == model::kSelectorMatchersMax ||
            bytes > model::kSelectorBytesMax) {
          return make_error(Errc::too_large,
                            "a query may have at most " +
                                std::to_string(model::kSelectorMatchersMax) + " matchers of " +
                                std::to_string(model::kSelectorBytesMax) + " bytes");
        }
        SENSUS_TRY(SeriesMatcher matcher, parse_matcher(field.bytes));
        out.selector.push_back(std::move(matcher));
        break;
      }
      default: break;
    }
  }
  if (out.selector.empty()) {
    return make_error(Errc::invalid_input, "a query without a matcher would ask for every series");
  }
  SENSUS_TRY(out.from, time_of(from_ms));
  SENSUS_TRY(out.to, time_of(std::min(to_ms, kMillisMax - 1) +
                             1));  // The last millisecond belongs to the question.
  return out;
}

/// A packed or a single element of accepted_response_types.
Result<> note_types(const ProtoField& field, bool& any, bool& samples) {
  if (field.type == WireType::varint) {
    any = true;
    samples = samples || field.scalar == kSamples;
    return {};
  }
  ProtoReader packed(field.bytes);
  for (std::uint64_t type = 0; packed.next_varint(type);) {
    any = true;
    samples = samples || type == kSamples;
  }
  return packed.ok() ? Result<>{} : Result<>{damaged()};
}

}  // namespace

Result<std::vector<RemoteReadQuery>> parse_remote_read(std::string_view message) {
  std::vector<RemoteReadQuery> out;
  bool types = false;
  bool samples = false;
  ProtoReader in(message);
  for (ProtoField field; in.next(field);) {
    switch (field.tag()) {
      case proto_tag(1, WireType::bytes): {
        if (out.size() == kRemoteReadQueriesMax) {
          return make_error(
              Errc::too_large,
              "a request may have at most " + std::to_string(kRemoteReadQueriesMax) + " queries");
        }
        SENSUS_TRY(RemoteReadQuery query, parse_query(field.bytes));
        out.push_back(std::move(query));
        break;
      }
      case proto_tag(2, WireType::varint):
      case proto_tag(2, WireType::bytes): SENSUS_TRY_VOID(note_types(field, types, samples)); break;
      default: break;
    }
  }
  if (!in.ok()) {
    return damaged();
  }
  if (out.empty()) {
    return make_error(Errc::invalid_input, "the request asks for nothing");
  }
  if (types && !samples) {
    return make_error(
        Errc::unsupported,
        "only answers of SAMPLES are spoken here; list it among accepted_response_types");
  }
  return out;
}

void RemoteReadAnswer::add_series(const std::string& metric_name, const model::Labels& labels,
                                  const std::vector<model::Sample>& samples) {
  Series series;
  series.labels.assign(labels.begin(), labels.end());
  series.labels.push_back({std::string(model::kNameLabel), metric_name});
  std::ranges::sort(series.labels);
  ProtoWriter out;
  ProtoWriter part;
  for (const model::Label& label : series.labels) {
    part.clear();
    part.bytes(1, label.name).bytes(2, label.value);
    out.bytes(1, part.text());
  }
  const auto millis = [](const model::Sample& sample) {
    return std::chrono::floor<std::chrono::milliseconds>(sample.time).time_since_epoch().count();
  };
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (i + 1 < samples.size() && millis(samples[i + 1]) == millis(samples[i])) {
      continue;
    }
    part.clear();
    part.real(1, samples[i].value).integer(2, millis(samples[i]));
    out.bytes(2, part.text());
  }
  series.bytes = out.take();
  bytes_ += series.bytes.size();
  open_.push_back(std::move(series));
}

void RemoteReadAnswer::end_query() {
  std::ranges::sort(open_, {}, &Series::labels);
  ProtoWriter result;
  for (const Series& series : open_) {
    result.bytes(1, series.bytes);
  }
  open_.clear();
  ProtoWriter out;
  out.bytes(1, result.text());
  message_ += out.text();
}

}  // namespace sensus::codec
