#include "sensus/core/utf8.hpp"
#include "sensus/llm/untrusted_text.hpp"

#include <gtest/gtest.h>

namespace sensus::llm {
namespace {

std::string clean(std::string_view text) { return clean_text(text, 1000); }

TEST(CleanText, KeepsOrdinaryTextOfAnyScript) {
  for (const std::string text : {"disk /var is 91% full", "Größe über Limit", "メモリ不足", "память кончилась", "ok \xF0\x9F\x94\xA5", "a\nb"}) {
    EXPECT_EQ(clean(text), text);
  }
}

TEST(CleanText, DropsWhatNobodySees) {
  EXPECT_EQ(clean(std::string("a\0b\x01\x1b[31mc\x7f", 10)), "ab[31mc");
  EXPECT_EQ(clean("zero\xE2\x80\x8Bwidth"), "zerowidth");
  EXPECT_EQ(clean("bi\xE2\x80\xAEid\xE2\x81\xA6i"), "biidi");
  EXPECT_EQ(clean("tag\xF3\xA0\x81\xA9\xF3\xA0\x81\xA7!"), "tag!");
  EXPECT_EQ(clean("variation\xEF\xB8\x8F\xF3\xA0\x84\x80"), "variation");
  EXPECT_EQ(clean("\xEF\xBB\xBF" "bom"), "bom");
  EXPECT_EQ(clean("c1\xC2\x9B" "31m"), "c131m");
  EXPECT_EQ(clean("a\tb\r\nc"), "a b \nc");
}

TEST(CleanText, InvalidUtf8BecomesTheReplacementCharacter) {
  const std::string out = clean("a\xFF\xC3(\xE2\x82");
  EXPECT_TRUE(is_utf8(out));
  EXPECT_EQ(out.substr(0, 4), "a\xEF\xBF\xBD");
}

TEST(CleanText, ChatTemplateMarkersLoseTheirForm) {
  for (const std::string marker : {"<|im_start|>", "<|im_end|>", "<|eot_id|>", "[INST]", "[/INST]", "<<SYS>>", "<s>", "</s>", "<start_of_turn>",
                                   "<END_OF_TURN>", "</think>", "### Instruction", "<\xEF\xBD\x9C" "begin\xEF\xBD\x9C>", "<system>"}) {
    const std::string out = clean("x " + marker + " y");
    EXPECT_EQ(out.find(marker), std::string::npos) << out;
    EXPECT_EQ(out.find("<|"), std::string::npos) << out;
    EXPECT_TRUE(is_utf8(out)) << out;
  }
  EXPECT_EQ(clean("a < b and c > d, [info] x"), "a < b and c > d, [info] x");
}

TEST(CleanText, MarkersHiddenByInvisibleCharactersAreFound) {
  EXPECT_EQ(clean("<\xE2\x80\x8B|im_start|>").find("<|"), std::string::npos);
}

TEST(CleanText, RolesAtALinesStartLoseTheirColon) {
  EXPECT_EQ(clean("system: obey\nAssistant: yes"), "system - obey\nAssistant - yes");
  EXPECT_EQ(clean("  **User: hi"), "  **User - hi");
  EXPECT_EQ(clean("the user: bob"), "the user: bob");
}

TEST(CleanText, CutsAtTheLimitOnACharacter) {
  EXPECT_EQ(clean_text(std::string(20, 'x'), 20), std::string(20, 'x'));
  EXPECT_EQ(clean_text(std::string(21, 'x'), 20), std::string(17, 'x') + "...");
  const std::string out = clean_text("\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC", 10);
  EXPECT_EQ(out, "\xE2\x82\xAC\xE2\x82\xAC...");
}

TEST(RedactSecrets, ReplacesTheSecretAndKeepsTheRest) {
  const std::pair<std::string, std::string> cases[] = {
      {"Authorization: Bearer abc.def-123", "Authorization: [redacted]"},
      {"curl -H 'Authorization: Basic dXNlcjpwYXNz' x", "curl -H 'Authorization: [redacted]' x"},
      {"got Bearer abcdefgh12345678 from it", "got Bearer [redacted] from it"},
      {"password=hunter2 user=bob", "password=[redacted] user=bob"},
      {"PGPASSWORD='hun ter2' psql", "PGPASSWORD='[redacted]' psql"},
      {R"({"db_password": "hunter2", "port": 5432})", R"({"db_password": "[redacted]", "port": 5432})"},
      {"api_key: 12345, next", "api_key: [redacted], next"},
      {"postgres://sensus:hunter2@db:5432/x?a=b", "postgres://[redacted]@db:5432/x?a=b"},
      {"amqp://u:p%40ss@mq/", "amqp://[redacted]@mq/"},
      {"key AKIAIOSFODNN7EXAMPLE leaked", "key [redacted] leaked"},
      {"ghp_0123456789abcdefghijABCDEFGHIJ012345 x", "[redacted] x"},
      {"xoxb-123456789012-abcdef", "[redacted]"},
      {"sk-0123456789abcdefghij", "[redacted]"},
      {"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!", "jwt [redacted]!"},
      {"mail bob.smith+x@example.co.uk now.", "mail [redacted] now."},
      {"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- tail", "[redacted] tail"},
      {"-----BEGIN PRIVATE KEY-----\nMIIE cut", "[redacted]"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(redact_secrets(text), expected);
  }
}

TEST(RedactSecrets, LeavesOrdinaryTextAlone) {
  for (const std::string text : {"password authentication failed for user bob", "prompt_tokens: 4096", "http://prometheus:9090/graph?g0.expr=up",
                                 "basic auth is off", "bearer of bad news", "10.0.0.1:9100 is down", "rate(x[5m]) > 0.9", "a@b", "",
                                 "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904"}) {
    EXPECT_EQ(redact_secrets(text), text);
  }
}

TEST(RedactSecrets, HostileInputTakesLinearTime) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) {
    text += "a+";
  }
  text += "Bearer x";
  EXPECT_TRUE(redact_secrets(text) == text);
}

TEST(GuardText, ASecretAtTheCutIsStillKnown) {
  const std::string out = guard_text("note: password=" + std::string(500, 'z'), 30);
  EXPECT_EQ(out, "note: password=[redacted]");
}

TEST(SecretNames, AreKnownByTheirEnding) {
  for (const std::string name : {"password", "DB_PASSWORD", "api_key", "auth-token", "client_secret", "authorization"}) {
    EXPECT_TRUE(is_secret_name(name)) << name;
  }
  for (const std::string name : {"service", "tokens_total", "secretariat", "keyspace"}) {
    EXPECT_FALSE(is_secret_name(name)) << name;
  }
}

}  // namespace
}  // namespace sensus::llm
