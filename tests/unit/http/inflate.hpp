#pragma once

#include <zlib.h>

#include <string>

namespace sensus::http::test {

/// Unpacks one gzip member; "(not gzip)" when it is not exactly that.
inline std::string inflate(const std::string& packed) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) {
    return "(no memory)";
  }
  std::string text(4 * 1024 * 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  const bool whole = ::inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0;
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return whole ? text : "(not gzip)";
}

}  // namespace sensus::http::test
