#include "command_line_internal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sensus::app {
namespace {

ParsedCommandLine parse(std::vector<std::string> words) {
  words.insert(words.begin(), "sensusd");
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  return parse_command_line(static_cast<int>(words.size()), argv.data());
}

TEST(CommandLine, ReadsEveryFlag) {
  const auto parsed = parse({"--config", "a.yaml", "--embedded", "var", "--listen", "[::1]:0", "--log-level", "debug", "--log-format",
                             "json", "--ready-file", "r", "--check-config", "--print-config"});
  ASSERT_FALSE(parsed.exit_code);
  EXPECT_EQ(parsed.options.config_file, "a.yaml");
  EXPECT_EQ(parsed.options.embedded_dir, "var");
  EXPECT_EQ(parsed.options.listen, "[::1]:0");
  EXPECT_EQ(parsed.options.log_level, "debug");
  EXPECT_EQ(parsed.options.log_format, "json");
  EXPECT_EQ(parsed.options.ready_file, "r");
  EXPECT_TRUE(parsed.options.check_config);
  EXPECT_TRUE(parsed.options.print_config);
  EXPECT_FALSE(parsed.options.print_reference_config);
}

TEST(CommandLine, KnowsThePrometheusSpellingOfConfig) {
  EXPECT_EQ(parse({"--config.file=b.yaml"}).options.config_file, "b.yaml");
}

TEST(CommandLine, HelpAndVersionEndWell) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(parse({"--version"}).exit_code, 0);
  EXPECT_EQ(parse({"--help"}).exit_code, 0);
  const std::string printed = testing::internal::GetCapturedStdout();
  EXPECT_THAT(printed, testing::HasSubstr(std::string("sensusd ") + kVersion));
  EXPECT_THAT(printed, testing::HasSubstr("--embedded"));
}

TEST(CommandLine, WrongFlagsEndWithTwo) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(parse({"--nonsense"}).exit_code, 2);
  EXPECT_EQ(parse({"--log-level", "loud"}).exit_code, 2);
  EXPECT_EQ(parse({"--config"}).exit_code, 2);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("nonsense"));
}

}  // namespace
}  // namespace sensus::app
