#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace sensus::http {

/// Responses shorter than this are not worth compressing.
inline constexpr std::size_t kGzipBytesMin = 1024;

/// True for text, JSON, JavaScript, XML and SVG; images and archives are compressed already.
[[nodiscard]] bool is_compressible(std::string_view content_type);

/// One gzip member (RFC 1952), made piece by piece so that a long body does not hold the reactor.
class GzipEncoder {
 public:
  GzipEncoder();
  ~GzipEncoder();
  GzipEncoder(const GzipEncoder&) = delete;
  GzipEncoder& operator=(const GzipEncoder&) = delete;

  /// False when zlib had no memory; the body is then sent as it is.
  [[nodiscard]] bool ok() const;
  /// Appends what comes out to `out`. The last piece of a body sets `last`.
  void append(std::string_view piece, bool last, std::string& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sensus::http
