#pragma once

#include "fakes.hpp"

#include "unit/codec/remote_write_writer.hpp"
#include "unit/http/test_server.hpp"

#include <gtest/gtest.h>
#include <zlib.h>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace sensus::api::test {

using nlohmann::json;
using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// Asks the routes as a sender does: over a socket, behind the real server. The clock stands at
/// 2026-11-20T10:00:00Z.
class Conformance : public ::testing::Test {
 protected:
  http::test::RawResponse post(const std::string& path, const HeaderList& headers,
                               const std::string& body) {
    if (server_.port == 0) {
      server_.router = world.make();
      server_.start();
    }
    std::string request = "POST " + path + " HTTP/1.1\r\nHost: sensus\r\n";
    for (const auto& [name, value] : headers) {
      request += name + ": " + value + "\r\n";
    }
    request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    http::test::RawClient client(server_.port);
    return client.ask(request + body);
  }

  [[nodiscard]] std::int64_t now_ms() const { return to_unix_us(world.clock.now()) / 1000; }

  /// `name{label="value",...}` of every sample that was handed on, in order.
  [[nodiscard]] std::vector<std::string> stored() const {
    std::vector<std::string> out;
    for (const auto& row : world.flow.samples.rows()) {
      const auto series = model::decode_series_key(world.flow.samples.key(row)).value();
      std::string text = series.metric_name + "{";
      for (const model::Label& label : series.labels) {
        text += (text.back() == '{' ? "" : ",") + label.name + "=" + label.value;
      }
      out.push_back(text + "}");
    }
    return out;
  }
  [[nodiscard]] std::vector<double> values() const {
    std::vector<double> out;
    for (const auto& row : world.flow.samples.rows()) {
      out.push_back(row.value);
    }
    return out;
  }
  [[nodiscard]] double metric(const std::string& series) const {
    const std::string page = "\n" + world.metrics.render();
    const auto at = page.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::atof(page.c_str() + at + series.size() + 2);
  }

  World world;

 private:
  http::test::TestServer server_;
};

using Texts = std::vector<std::string>;
using Values = std::vector<double>;

inline std::string gzip(const std::string& plain) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string out(deflateBound(&stream, plain.size()) + 64, '\0');
  std::string in = plain;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// A snappy block of literals only: allowed, and needs no library.
inline std::string snappy(const std::string& bytes) {
  std::string out = codec::test::Proto::varint_bytes(bytes.size());
  for (std::size_t at = 0; at < bytes.size(); at += 60) {
    const std::string piece = bytes.substr(at, 60);
    out.push_back(static_cast<char>((piece.size() - 1) << 2U));
    out += piece;
  }
  return out;
}

}  // namespace sensus::api::test
