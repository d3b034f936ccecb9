#include "request_parser_internal.hpp"

#include "accept_internal.hpp"

#include "sensus/core/assert.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace sensus::http {
namespace {

namespace beast = boost::beast;
using beast::error_code;
using beast::http::field;
using beast::http::verb;
using BeastView = beast::string_view;

/// A chunk head with its extensions, or a whole trailer, that does not fit is an attack.
constexpr std::size_t kChunkHeadMax = 8 * 1024;
/// A body is reserved at once up to here; beyond, it grows as bytes really arrive, so a lie about the length costs nothing.
constexpr std::size_t kBodyReserveMax = 1024 * 1024;

std::string_view std_view(BeastView text) { return {text.data(), text.size()}; }

Method method_of(verb method) {
  switch (method) {
    case verb::get: return Method::get;
    case verb::head: return Method::head;
    case verb::post: return Method::post;
    case verb::put: return Method::put;
    case verb::patch: return Method::patch;
    case verb::delete_: return Method::del;
    case verb::options: return Method::options;
    default: return Method::other;
  }
}

std::string_view fault_text(const error_code& failure) {
  using beast::http::error;
  const auto is = [&failure](beast::http::error code) { return failure == code; };
  if (is(error::bad_method) || is(error::bad_target)) {
    return "the request line is malformed";
  }
  if (is(error::bad_version)) {
    return "the request line does not end in HTTP/1.1 or HTTP/1.0";
  }
  if (is(error::bad_content_length) || is(error::multiple_content_length)) {
    return "Content-Length is not one decimal number";
  }
  if (is(error::bad_transfer_encoding)) {
    return "Transfer-Encoding is given twice or beside Content-Length";
  }
  if (is(error::bad_chunk) || is(error::bad_chunk_extension)) {
    return "a chunk of the body is malformed";
  }
  return "a header field is malformed";
}

class Parser final : public beast::http::basic_parser<true> {
 public:
  Parser(Request& request, std::string& target, std::size_t fields_max)
      : request_(request), target_(target), fields_max_(fields_max) {}

  HeadFacts facts;
  bool too_many_fields = false;

 private:
  void on_request_impl(verb method, BeastView text, BeastView target, int version, error_code& ec) override {
    request_.method = method_of(method);
    request_.method_text.assign(text.data(), text.size());
    target_.assign(target.data(), target.size());
    facts.http11 = version == 11;
    ec = {};
  }

  void on_response_impl(int, BeastView, int, error_code&) override {}

  void on_field_impl(field name, BeastView name_text, BeastView value, error_code& ec) override {
    if (in_body_) {
      return;  // A trailer.
    }
    if (request_.headers.size() == fields_max_) {
      too_many_fields = true;
      ec = beast::http::error::header_limit;
      return;
    }
    note(name, std_view(name_text), std_view(value));
    request_.headers.add(std::string(std_view(name_text)), std::string(std_view(value)));
  }

  void note(field name, std::string_view text, std::string_view value) {
    switch (name) {
      case field::host:
        ++facts.host_fields;
        facts.host_valid = is_host(value);
        break;
      case field::content_length:
        ++facts.content_length_fields;
        facts.content_length_list = value.find(',') != std::string_view::npos;
        break;
      case field::transfer_encoding:
        ++facts.transfer_encoding_fields;
        facts.transfer_encoding_is_chunked = iequals(value, "chunked");
        break;
      case field::accept: facts.has_accept = true; break;
      case field::accept_encoding: facts.has_accept_encoding = true; break;
      case field::content_encoding: facts.has_content_encoding = true; break;
      case field::content_type: facts.has_content_type = true; break;
      case field::expect: facts.has_expect = true; break;
      case field::unknown:
        facts.has_request_id = facts.has_request_id || iequals(text, "x-request-id");
        facts.has_traceparent = facts.has_traceparent || iequals(text, "traceparent");
        break;
      default: break;
    }
  }

  void on_header_impl(error_code& ec) override { ec = {}; }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code& ec) override {
    in_body_ = true;
    request_.body.reserve(std::min<std::uint64_t>(length.value_or(0), kBodyReserveMax));
    ec = {};
  }

  std::size_t on_body_impl(BeastView piece, error_code& ec) override {
    request_.body.append(piece.data(), piece.size());
    ec = {};
    return piece.size();
  }

  void on_chunk_header_impl(std::uint64_t, BeastView, error_code& ec) override { ec = {}; }

  std::size_t on_chunk_body_impl(std::uint64_t, BeastView piece, error_code& ec) override {
    return on_body_impl(piece, ec);
  }

  void on_finish_impl(error_code& ec) override { ec = {}; }

  Request& request_;
  std::string& target_;
  std::size_t fields_max_;
  bool in_body_ = false;
};

void clear(Request& request) {
  request.method = Method::get;
  request.method_text.clear();
  request.path.clear();
  request.query.clear();
  request.path_params.clear();
  request.headers.clear();
  request.body.clear();
  request.id.clear();
  request.trace_id.clear();
  request.route.clear();
  request.deadline = Deadline::never();
}

}  // namespace

struct RequestParser::Impl {
  explicit Impl(ParserLimits given) : limits(given) {}

  ParserLimits limits;
  std::optional<Parser> parser;
  std::size_t head_bytes = 0;

  Fed fail(const error_code& ec, std::size_t consumed) const {
    if (ec == beast::http::error::header_limit || parser->too_many_fields) {
      return {State::head_too_large, consumed};
    }
    if (ec == beast::http::error::body_limit) {
      return {State::body_too_large, consumed};
    }
    return {State::malformed, consumed, fault_text(ec)};
  }
};

RequestParser::RequestParser(ParserLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;

void RequestParser::reset(Request& request, std::string& target) {
  clear(request);
  target.clear();
  impl_->head_bytes = 0;
  Parser& parser = impl_->parser.emplace(request, target, impl_->limits.header_fields);
  // The parser applies its limit to each piece it is fed, not to their sum: feed_head counts.
  parser.header_limit(std::numeric_limits<std::uint32_t>::max());
  // Known only when the route is; until then nothing of a body is parsed.
  parser.body_limit(boost::none);
  parser.eager(false);
}

RequestParser::Fed RequestParser::feed_head(std::string_view bytes) {
  Impl& impl = *impl_;
  Parser& parser = *impl.parser;
  error_code ec;
  std::size_t consumed = 0;
  // The request line and the fields are parsed in one call each.
  while (!parser.is_header_done()) {
    const std::size_t used =
        parser.put(boost::asio::buffer(bytes.data() + consumed, bytes.size() - consumed), ec);
    consumed += used;
    if (ec) {
      break;
    }
  }
  impl.head_bytes += consumed;
  const bool waiting = ec == beast::http::error::need_more;
  const std::size_t pending = waiting ? bytes.size() - consumed : 0;
  if (impl.head_bytes + pending > impl.limits.header_bytes) {
    return {State::head_too_large, consumed};
  }
  if (waiting) {
    return {State::need_more, consumed};
  }
  if (ec) {
    return impl.fail(ec, consumed);
  }
  parser.facts.keep_alive = parser.keep_alive();
  parser.facts.chunked = parser.chunked();
  if (const auto length = parser.content_length()) {
    parser.facts.content_length = *length;
  }
  return {parser.is_done() ? State::done : State::head_done, consumed};
}

void RequestParser::set_body_limit(std::size_t bytes) { impl_->parser->body_limit(bytes); }

RequestParser::Fed RequestParser::feed_body(std::string_view bytes) {
  Parser& parser = *impl_->parser;
  SENSUS_ASSERT(parser.is_header_done());
  error_code ec;
  std::size_t consumed = 0;
  while (!parser.is_done() && consumed < bytes.size()) {
    const std::size_t used =
        parser.put(boost::asio::buffer(bytes.data() + consumed, bytes.size() - consumed), ec);
    consumed += used;
    if (ec == beast::http::error::need_more) {
      if (bytes.size() - consumed > kChunkHeadMax) {
        return {State::malformed, consumed, "a chunk extension or trailer is longer than 8 KiB"};
      }
      return {State::need_more, consumed};
    }
    if (ec) {
      return impl_->fail(ec, consumed);
    }
  }
  return {parser.is_done() ? State::done : State::need_more, consumed};
}

const HeadFacts& RequestParser::facts() const { return impl_->parser->facts; }

}  // namespace sensus::http
