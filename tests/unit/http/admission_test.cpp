#include "http/admission_internal.hpp"

#include <gtest/gtest.h>

namespace sensus::http {
namespace {

boost::asio::awaitable<Response> nothing(const Request&) { co_return Response::empty(204); }

class AdmissionTest : public testing::Test {
 protected:
  AdmissionTest() {
    Route post;
    post.method = Method::post;
    post.pattern = "/post";
    post.handler = nothing;
    post.body_limit = 10;
    post.content_types = {"application/json"};
    post.produces = {"application/json"};
    router_.add(post);
    request_.method = Method::post;
    facts_.http11 = true;
    facts_.content_length = 10;
  }
  void header(std::string name, std::string value, bool HeadFacts::*fact) {
    request_.headers.add(std::move(name), std::move(value));
    facts_.*fact = true;
  }
  int status(const std::string& target = "/post") {
    const Admission admission = admit(router_, facts_, target, request_);
    return admission.refusal ? admission.refusal->status : 0;
  }
  Router router_;
  HeadFacts facts_;
  Request request_;
};

TEST_F(AdmissionTest, ASaneRequestPasses) {
  header("Content-Type", "application/json; charset=utf-8", &HeadFacts::has_content_type);
  header("Accept", "*/*", &HeadFacts::has_accept);
  header("Content-Encoding", "identity", &HeadFacts::has_content_encoding);
  const Admission admission = admit(router_, facts_, "/post?x=1", request_);
  EXPECT_FALSE(admission.refusal);
  EXPECT_FALSE(admission.expects_continue);
  ASSERT_NE(admission.route, nullptr);
  EXPECT_EQ(request_.route, "/post");
  EXPECT_EQ(request_.path, "/post");
  EXPECT_EQ(request_.query_value("x"), "1");
}

TEST_F(AdmissionTest, ABodyWithoutContentTypePasses) { EXPECT_EQ(status(), 0); }

TEST_F(AdmissionTest, PathsAndMethods) {
  EXPECT_EQ(status("/nowhere"), 404);
  EXPECT_EQ(status("/%2e%2e/post"), 400);
  request_.method = Method::get;
  EXPECT_EQ(status(), 405);
  for (const char* target : {"/post", "/nowhere", "host:443"}) {
    request_.method = Method::other;
    const Admission admission = admit(router_, facts_, target, request_);
    EXPECT_EQ(admission.refusal->status, 405) << target;
    EXPECT_NE(admission.refusal->headers.get("Allow"), "") << target;
  }
}

TEST_F(AdmissionTest, BodyLengthAtTheLimitAndOneMore) {
  EXPECT_EQ(status(), 0);
  facts_.content_length = 11;
  EXPECT_EQ(status(), 413);
}

TEST_F(AdmissionTest, ContentCodings) {
  header("Content-Encoding", "gzip", &HeadFacts::has_content_encoding);
  EXPECT_EQ(status(), 415);
  facts_.content_length = 0;
  EXPECT_EQ(status(), 0) << "no body, nothing encoded";
}

TEST_F(AdmissionTest, ASecondContentEncodingDoesNotHide) {
  header("Content-Encoding", "identity", &HeadFacts::has_content_encoding);
  header("Content-Encoding", "gzip", &HeadFacts::has_content_encoding);
  EXPECT_EQ(status(), 415);
}

TEST_F(AdmissionTest, ARouteMayTakeACoding) {
  Route packed;
  packed.method = Method::post;
  packed.pattern = "/packed";
  packed.handler = nothing;
  packed.content_encodings = {"snappy"};
  router_.add(packed);
  EXPECT_EQ(status("/packed"), 0) << "none given";
  header("Content-Encoding", "Snappy", &HeadFacts::has_content_encoding);
  EXPECT_EQ(status("/packed"), 0);
  EXPECT_EQ(status("/post"), 415) << "another route does not";
  for (const char* other : {"gzip", "snappy, gzip", "snappyx"}) {
    request_.headers.set("Content-Encoding", other);
    const Admission admission = admit(router_, facts_, "/packed", request_);
    EXPECT_EQ(admission.refusal->status, 415) << other;
    EXPECT_NE(admission.refusal->body.find("snappy"), std::string::npos);
  }
  request_.headers.set("Content-Encoding", "snappy");
  facts_.content_length = packed.body_limit + 1;
  const Admission admission = admit(router_, facts_, "/packed", request_);
  EXPECT_EQ(admission.refusal->status, 413);
}

TEST_F(AdmissionTest, MediaTypes) {
  header("Content-Type", "text/plain", &HeadFacts::has_content_type);
  EXPECT_EQ(status(), 415);
}

TEST_F(AdmissionTest, AcceptThatExcludesUs) {
  header("Accept", "text/html", &HeadFacts::has_accept);
  EXPECT_EQ(status(), 406);
}

TEST_F(AdmissionTest, Expectations) {
  header("Expect", "100-Continue", &HeadFacts::has_expect);
  EXPECT_TRUE(admit(router_, facts_, "/post", request_).expects_continue);
  facts_.http11 = false;
  EXPECT_FALSE(admit(router_, facts_, "/post", request_).expects_continue);
  facts_.http11 = true;
  request_.headers.set("Expect", "magic");
  EXPECT_EQ(status(), 417);
}

}  // namespace
}  // namespace sensus::http
