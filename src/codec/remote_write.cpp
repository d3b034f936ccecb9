#include "sensus/codec/remote_write.hpp"

#include "proto_reader_internal.hpp"
#include "remote_write_metadata_internal.hpp"
#include "wire_labels_internal.hpp"

#include "sensus/model/selector.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace sensus::codec {
namespace {

constexpr std::uint64_t kNoRef = ~std::uint64_t{0};
constexpr std::size_t kSymbolsMax = 1'000'000;
// Beyond any window, and far from where a conversion to microseconds would overflow.
constexpr std::int64_t kUnixMsMax = 1'000'000'000'000'000;

struct RawSample {
  std::int64_t time_ms = 0;
  std::uint64_t bits = 0;
};

bool is_bytes(const ProtoField& field, std::uint32_t number) {
  return field.number == number && field.type == WireType::bytes;
}

double to_double(std::uint64_t bits) {
  double value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// Reads one request. Buffers are reused from series to series.
class RemoteWriteReader {
 public:
  RemoteWriteReader(RemoteWriteVersion version, Timestamp now, const model::InputLimits& limits,
                    std::size_t key_bytes_max)
      : v2_(version == RemoteWriteVersion::v2),
        now_(now),
        earliest_(now - limits.past_window),
        latest_(now + limits.future_window),
        limits_(limits),
        key_bytes_max_(key_bytes_max),
        labels_(limits) {}

  Result<RemoteWrite> read(std::string_view message) {
    out_.samples.reserve(message.size() / 96 + 1, std::min(message.size(), key_bytes_max_));
    if ((v2_ && !read_symbols(message)) || !read_message(message)) {
      return error_ ? *std::move(error_) : damaged();
    }
    return std::move(out_);
  }

 private:
  // The field numbers of the two versions do not overlap, so that one can be told from the other.
  static constexpr std::uint32_t kSeriesV1 = 1;
  static constexpr std::uint32_t kMetadataV1 = 3;
  static constexpr std::uint32_t kSymbolsV2 = 4;
  static constexpr std::uint32_t kSeriesV2 = 5;

  /// Symbols may come after the series that refer to them, so they are gathered first.
  bool read_symbols(std::string_view message) {
    ProtoReader in(message);
    ProtoField field;
    while (in.next(field)) {
      if (!is_bytes(field, kSymbolsV2)) {
        continue;
      }
      if (symbols_.size() == kSymbolsMax) {
        return stop(Errc::too_large,
                    "more than " + std::to_string(kSymbolsMax) + " symbols; send it in parts",
                    "symbols");
      }
      symbols_.push_back(field.bytes);
    }
    if (in.ok() && !symbols_.empty() && !symbols_.front().empty()) {
      return stop(Errc::invalid_input, "the first symbol must be the empty text", "symbols[0]");
    }
    return in.ok();
  }

  bool read_message(std::string_view message) {
    ProtoReader in(message);
    ProtoField field;
    bool other_version = false;
    while (in.next(field)) {
      if (is_bytes(field, v2_ ? kSeriesV2 : kSeriesV1)) {
        if (!read_series(field.bytes)) {
          return false;
        }
        ++series_;
      } else if (!v2_ && is_bytes(field, kMetadataV1)) {
        keep_metadata(field.bytes);
      } else {
        other_version = other_version || is_bytes(field, v2_ ? kSeriesV1 : kSeriesV2);
      }
    }
    // Series of the other version are unknown fields here; to skip them would be to lose them in
    // silence.
    if (in.ok() && other_version && series_ == 0) {
      return stop(
          Errc::invalid_input,
          v2_ ? "the body is a prometheus.WriteRequest: leave proto= out of the Content-Type"
              : "the body is an io.prometheus.write.v2.Request: name it by proto= in the "
                "Content-Type",
          "timeseries");
    }
    return in.ok();
  }

  bool read_series(std::string_view bytes) {
    labels_.clear();
    samples_.clear();
    refusal_.reset();
    refs_ = 0;
    name_ref_ = kNoRef;
    metadata_.reset();
    ProtoReader in(bytes);
    ProtoField field;
    while (in.next(field)) {
      if (!(v2_ ? read_field_v2(field) : read_field_v1(field))) {
        return false;
      }
    }
    return in.ok() && finish_series();
  }

  bool read_field_v1(const ProtoField& field) {
    if (field.type != WireType::bytes) {
      return true;
    }
    switch (field.number) {
      case 1: return read_label(field.bytes);
      case 2: return read_sample(field.bytes);
      case 3: ++out_.exemplars; return true;
      case 4: ++out_.histograms; return true;
      default: return true;
    }
  }

  bool read_field_v2(const ProtoField& field) {
    if (field.number == 1 && field.type == WireType::varint) {
      return read_ref(field.scalar);
    }
    if (field.type != WireType::bytes) {
      return true;
    }
    switch (field.number) {
      case 1: return read_refs(field.bytes);
      case 2: return read_sample(field.bytes);
      case 3: ++out_.histograms; return true;
      case 4: ++out_.exemplars; return true;
      case 5: set_metadata(field.bytes); return true;
      default: return true;
    }
  }

  bool read_label(std::string_view bytes) {
    WireLabels::View label;
    ProtoReader in(bytes);
    ProtoField field;
    while (in.next(field)) {
      if (is_bytes(field, 1)) {
        label.name = field.bytes;
      } else if (is_bytes(field, 2)) {
        label.value = field.bytes;
      }
    }
    labels_.add(label);
    return in.ok();
  }

  bool read_refs(std::string_view bytes) {
    ProtoReader in(bytes);
    std::uint64_t ref = 0;
    while (in.next_varint(ref)) {
      read_ref(ref);
    }
    return in.ok();
  }

  /// Names and values alternate.
  bool read_ref(std::uint64_t ref) {
    const std::string_view text = symbol(ref);
    if (++refs_ % 2 != 0) {
      pending_name_ = text;
    } else {
      name_ref_ = pending_name_ == model::kNameLabel ? ref : name_ref_;
      labels_.add({pending_name_, text});
    }
    return true;
  }

  void keep_metadata(std::string_view bytes) {
    if (const auto entry = read_metadata_v1(bytes)) {
      out_.metadata.append(*entry);
    } else {
      ++out_.refused_metadata;
    }
  }

  void set_metadata(std::string_view bytes) {
    metadata_ = read_metadata_v2(bytes);
    out_.refused_metadata += metadata_ ? 0 : 1;
  }

  /// Of the series that was read. Its family's other series come with the same, so once is enough.
  void keep_series_metadata() {
    if (!metadata_ || !metadata_->says_something() || name_ref_ >= symbols_.size()) {
      return;
    }
    if (metadata_->help >= symbols_.size() || metadata_->unit >= symbols_.size()) {
      ++out_.refused_metadata;
      return;
    }
    described_.resize(symbols_.size());
    if (!described_[name_ref_]) {
      described_[name_ref_] = true;
      out_.metadata.append({model::family_of(symbols_[name_ref_], metadata_->type), metadata_->type,
                            symbols_[metadata_->unit], symbols_[metadata_->help]});
    }
  }

  bool read_sample(std::string_view bytes) {
    RawSample sample;
    ProtoReader in(bytes);
    ProtoField field;
    while (in.next(field)) {
      if (field.number == 1 && field.type == WireType::fixed64) {
        sample.bits = field.scalar;
      } else if (field.number == 2 && field.type == WireType::varint) {
        sample.time_ms = field.as_int64();
      }
    }
    samples_.push_back(sample);
    return in.ok();
  }

  [[nodiscard]] std::string_view symbol(std::uint64_t ref) {
    if (ref < symbols_.size()) {
      return symbols_[static_cast<std::size_t>(ref)];
    }
    refuse("labels_refs",
           "refers to symbol " + std::to_string(ref) + " of " + std::to_string(symbols_.size()));
    return {};
  }

  /// The whole series is known: its samples are appended, or refused with it.
  bool finish_series() {
    if (refs_ % 2 != 0) {
      refuse("labels_refs", "names and values do not pair: an odd number of references");
    }
    if (!refusal_ && make_key()) {
      keep_series_metadata();
      return append_samples();
    }
    ++out_.refused_series;
    out_.refused_samples += samples_.size();
    if (!out_.first_refusal) {
      out_.first_refusal = std::move(refusal_);
    }
    return true;
  }

  bool make_key() {
    if (const auto refused = labels_.encode(series_)) {
      return refuse(*refused);
    }
    key_ = labels_.key();
    return true;
  }

  bool append_samples() {
    bool first = true;
    for (const RawSample& sample : samples_) {
      const Timestamp time = to_time(sample.time_ms);
      if (time < earliest_ || time > latest_) {
        ++out_.refused_samples;
        if (!out_.first_refusal) {
          out_.first_refusal = model::check_timestamp(time, now_, limits_, path("samples")).error();
        }
        continue;
      }
      const bool end = sample.bits == model::kStaleMarkerBits;
      if (!end && !first) {
        out_.samples.append_again(time, to_double(sample.bits));
        continue;
      }
      if (!take_key()) {
        return false;
      }
      if (end) {
        ++out_.stale_markers;
        out_.samples.append_end(key_, time);
      } else {
        first = false;
        out_.samples.append(key_, time, to_double(sample.bits));
      }
    }
    return true;
  }

  bool take_key() {
    key_bytes_ += key_.size();
    if (key_bytes_ > key_bytes_max_) {
      return stop(Errc::too_large,
                  "the labels have more than " + std::to_string(key_bytes_max_) +
                      " bytes; send it in parts",
                  "timeseries");
    }
    return true;
  }

  static Timestamp to_time(std::int64_t ms) {
    return from_unix_us(std::clamp(ms, -kUnixMsMax, kUnixMsMax) * 1000);
  }


  [[nodiscard]] std::string path(std::string_view member) const {
    return "timeseries[" + std::to_string(series_) + "]." + std::string(member);
  }

  /// This series is not taken; the first reason counts.
  bool refuse(std::string_view member, std::string message) {
    if (!refusal_) {
      refusal_ = make_error(Errc::invalid_input, std::move(message), path(member));
    }
    return false;
  }
  bool refuse(const Error& error) {
    refusal_ = error;
    return false;
  }
  /// Nothing of this request is taken.
  bool stop(Errc code, std::string message, std::string field) {
    error_ = make_error(code, std::move(message), std::move(field));
    return false;
  }
  [[nodiscard]] Error damaged() const {
    return make_error(Errc::invalid_input,
                      std::string("the body is not the protobuf message ") +
                          (v2_ ? "io.prometheus.write.v2.Request" : "prometheus.WriteRequest"),
                      "timeseries[" + std::to_string(series_) + "]");
  }

  const bool v2_;
  const Timestamp now_;
  const Timestamp earliest_;
  const Timestamp latest_;
  const model::InputLimits& limits_;
  const std::size_t key_bytes_max_;
  RemoteWrite out_;
  std::vector<std::string_view> symbols_;
  std::size_t series_ = 0;  ///< Index of the one being read.
  std::size_t key_bytes_ = 0;
  WireLabels labels_;
  std::vector<RawSample> samples_;
  std::size_t refs_ = 0;  ///< Label references of this series.
  std::string_view pending_name_;
std::uint64_t name_ref_ = kNoRef;  ///< Of the value of __name__.
  std::optional<MetadataRefs> metadata_;
  std::vector<bool> described_;  ///< By symbol: metadata of this metric name is in out_.
  std::string_view key_;  ///< In labels_.
  std::optional<Error> refusal_;
  std::optional<Error> error_;
};

}  // namespace

Result<RemoteWrite> parse_remote_write(std::string_view message, RemoteWriteVersion version,
                                       Timestamp now, const model::InputLimits& limits,
                                       std::size_t key_bytes_max) {
  return RemoteWriteReader(version, now, limits, key_bytes_max).read(message);
}

}  // namespace sensus::codec
