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

/// Undoes gzip, one or several members, piece by piece. Nothing is trusted: what comes out has a limit that is checked as it comes.
class GzipDecoder {
 public:
  enum class State {
    more,       ///< Call again.
    done,
    malformed,  ///< No gzip, damaged, cut short, or something else behind it.
    too_large,
    no_memory,
  };

  /// `packed` outlives the decoder. At most `limit` bytes come out.
  GzipDecoder(std::string_view packed, std::size_t limit);
  ~GzipDecoder();
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;

  /// Appends a piece of some 64 KiB to `out`, which holds nothing but earlier pieces.
  [[nodiscard]] State step(std::string& out);

 private:
  struct Stream;
  State end_member();

  std::unique_ptr<Stream> stream_;
  std::string_view rest_;
  std::size_t limit_;
};

}  // namespace sensus::http
