#include "gzip_internal.hpp"

#include "accept_internal.hpp"

#include "sensus/core/assert.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>

namespace sensus::http {

bool is_compressible(std::string_view content_type) {
  const std::string_view type = media_type_of(content_type);
  // An event stream is sent chunk by chunk and never comes here.
  return type.starts_with("text/") || type.ends_with("json") || type.ends_with("xml") ||
         type == "application/javascript" || type == "application/openmetrics-text" || type == "application/yaml";
}

struct GzipEncoder::State {
  z_stream stream{};
  bool ok = false;
};

GzipEncoder::GzipEncoder() : state_(std::make_unique<State>()) {
  // The fastest level: the reactor pays for it. Window bits + 16 asks zlib for a gzip wrapper.
  constexpr int kWindowBits = 15 + 16;
  constexpr int kMemoryLevel = 8;
  state_->ok = deflateInit2(&state_->stream, Z_BEST_SPEED, Z_DEFLATED, kWindowBits, kMemoryLevel,
                            Z_DEFAULT_STRATEGY) == Z_OK;
}

GzipEncoder::~GzipEncoder() {
  if (state_->ok) {
    deflateEnd(&state_->stream);
  }
}

bool GzipEncoder::ok() const { return state_->ok; }

void GzipEncoder::append(std::string_view piece, bool last, std::string& out) {
  SENSUS_ASSERT(state_->ok);
  z_stream& stream = state_->stream;
  std::array<char, 16 * 1024> chunk;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  stream.avail_in = static_cast<uInt>(piece.size());
  do {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    deflate(&stream, last ? Z_FINISH : Z_NO_FLUSH);
    out.append(chunk.data(), chunk.size() - stream.avail_out);
  } while (stream.avail_out == 0);
}

struct GzipDecoder::Stream {
  z_stream z{};
  bool ok = false;
};

GzipDecoder::GzipDecoder(std::string_view packed, std::size_t limit)
    : stream_(std::make_unique<Stream>()), rest_(packed), limit_(limit) {
  constexpr int kWindowBits = 15 + 16;  // gzip only.
  stream_->ok = inflateInit2(&stream_->z, kWindowBits) == Z_OK;
}

GzipDecoder::~GzipDecoder() {
  if (stream_->ok) {
    inflateEnd(&stream_->z);
  }
}

GzipDecoder::State GzipDecoder::step(std::string& out) {
  if (!stream_->ok) {
    return State::no_memory;
  }
  // zlib counts its input in 32 bits.
  constexpr std::size_t kInputMax = 1024 * 1024;
  std::array<char, 64 * 1024> chunk;
  z_stream& z = stream_->z;
  const std::size_t given = std::min(kInputMax, rest_.size());
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));
  z.avail_in = static_cast<uInt>(given);
  z.next_out = reinterpret_cast<Bytef*>(chunk.data());
  z.avail_out = static_cast<uInt>(chunk.size());
  const int result = inflate(&z, Z_NO_FLUSH);
  rest_.remove_prefix(given - z.avail_in);
  const std::size_t made = chunk.size() - z.avail_out;
  if (made > limit_ - out.size()) {
    return State::too_large;
  }
  out.append(chunk.data(), made);
  switch (result) {
    case Z_OK: return State::more;
    case Z_STREAM_END: return end_member();
    case Z_MEM_ERROR: return State::no_memory;
    // No progress was possible: the input ended inside a member.
    default: return State::malformed;
  }
}

GzipDecoder::State GzipDecoder::end_member() {
  if (rest_.empty()) {
    return State::done;
  }
  return inflateReset(&stream_->z) == Z_OK ? State::more : State::malformed;
}

}  // namespace sensus::http
