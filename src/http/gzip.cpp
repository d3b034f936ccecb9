#include "gzip_internal.hpp"

#include "accept_internal.hpp"

#include "sensus/core/assert.hpp"

#include <zlib.h>

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

}  // namespace sensus::http
