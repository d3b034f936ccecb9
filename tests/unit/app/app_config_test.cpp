#include "app_config_internal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <set>
#include <unistd.h>

namespace sensus::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string read_file(const std::string& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) : path_(testing::TempDir() + "sensus-" + std::to_string(::getpid()) + ".yaml") {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::remove(path_.c_str()); }
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  [[nodiscard]] CommandLine command_line() const {
    CommandLine out;
    out.config_file = path_;
    return out;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

LoadedConfig load(const CommandLine& command_line) {
  return load_config(command_line, [](const std::string&) -> std::optional<std::string> { return std::nullopt; });
}

TEST(AppConfig, TheShippedFileIsTheReference) {
  AppConfig config;
  EXPECT_EQ(read_file(SENSUS_SOURCE_DIR "/config/sensus.yaml"), config::render_reference_yaml(config.sections()))
      << "run: sensusd --print-reference-config > config/sensus.yaml";
}

TEST(AppConfig, TheShippedPageIsTheReference) {
  AppConfig config;
  EXPECT_EQ(read_file(SENSUS_SOURCE_DIR "/docs/configuration.md"), config::render_reference_markdown(config.sections()))
      << "run: sensusd --print-reference-docs > docs/configuration.md";
}

TEST(AppConfig, TheReferenceReadsBackAsTheDefaults) {
  AppConfig defaults;
  const ConfigFile file(config::render_reference_yaml(defaults.sections()));
  LoadedConfig loaded = load(file.command_line());
  ASSERT_TRUE(std::holds_alternative<AppConfig>(loaded))
      << testing::PrintToString(std::get<std::vector<std::string>>(loaded));
  EXPECT_EQ(config::render_current_yaml(std::get<AppConfig>(loaded).sections()), config::render_current_yaml(defaults.sections()));
}

TEST(AppConfig, EveryKeyIsDescribedOnceWithHelp) {
  AppConfig config;
  std::set<std::string> names;
  for (const config::Section& section : config.sections()) {
    EXPECT_TRUE(names.insert(section.name()).second) << section.name();
    EXPECT_THAT(section.fields(), testing::Not(IsEmpty())) << section.name();
    for (const config::Field& field : section.fields()) {
      EXPECT_TRUE(names.insert(section.name() + "." + field.key).second) << field.key;
      EXPECT_GT(field.help.size(), 10U) << section.name() << "." << field.key;
    }
  }
}

TEST(AppConfig, DefaultsAreInsideTheirBounds) {
  AppConfig config;
  for (config::Section& section : config.sections()) {
    for (config::Field& field : section.fields()) {
      if (field.set && field.type != "string" && !field.secret && !field.type.starts_with("one of")) {
        EXPECT_TRUE(field.set(field.default_text)) << section.name() << "." << field.key;
      }
    }
  }
}

TEST(AppConfig, MistakesCarryTheFile) {
  const ConfigFile file("log:\n  level: loud\nnonsense: {}\n");
  const LoadedConfig loaded = load(file.command_line());
  ASSERT_TRUE(std::holds_alternative<std::vector<std::string>>(loaded));
  EXPECT_THAT(std::get<std::vector<std::string>>(loaded),
              ElementsAre(HasSubstr(file.path() + ":2:10: log.level:"), HasSubstr(file.path() + ":3:1: nonsense: unknown section")));
}

TEST(AppConfig, AMissingFileIsNamed) {
  CommandLine command_line;
  command_line.config_file = "/nowhere/sensus.yaml";
  const LoadedConfig loaded = load(command_line);
  ASSERT_TRUE(std::holds_alternative<std::vector<std::string>>(loaded));
  EXPECT_THAT(std::get<std::vector<std::string>>(loaded), ElementsAre(HasSubstr("/nowhere/sensus.yaml: cannot read")));
}

TEST(AppConfig, TheCommandLineWinsOverTheFile) {
  const ConfigFile file("log:\n  level: error\n  format: json\nserver:\n  listen: [\"1.2.3.4:1\"]\n");
  CommandLine command_line = file.command_line();
  command_line.listen = "127.0.0.1:0";
  command_line.log_level = "debug";
  command_line.log_format = "text";
  LoadedConfig loaded = load(command_line);
  ASSERT_TRUE(std::holds_alternative<AppConfig>(loaded));
  const AppConfig& config = std::get<AppConfig>(loaded);
  EXPECT_THAT(config.server.listen, ElementsAre("127.0.0.1:0"));
  EXPECT_EQ(config.log.parsed_level(), telemetry::LogLevel::debug);
  EXPECT_EQ(config.log.parsed_format(), telemetry::LogFormat::text);
}

TEST(AppConfig, OnlyKeysThatNeedARestartAreNamed) {
  AppConfig before;
  AppConfig after;
  EXPECT_THAT(restart_keys(before, after), IsEmpty());
  after.log.level = "debug";
  EXPECT_THAT(restart_keys(before, after), IsEmpty());
  after.service.environment = "test";
  after.server.listen = {"127.0.0.1:1"};
  EXPECT_THAT(restart_keys(before, after), ElementsAre("service.environment", "server.listen"));
  before.redis.password = Secret("one");
  after.redis.password = Secret("two");
  EXPECT_THAT(restart_keys(before, after), ElementsAre("service.environment", "server.listen", "redis.password"));
}

TEST(AppConfig, LevelsAndFormatsHaveTheirNames) {
  using telemetry::LogFormat;
  using telemetry::LogLevel;
  LogSettings settings;
  EXPECT_EQ(settings.parsed_level(), LogLevel::info);
  EXPECT_EQ(settings.parsed_format(), LogFormat::automatic);
  for (const auto& [name, level] : {std::pair{"debug", LogLevel::debug}, {"warning", LogLevel::warning}, {"error", LogLevel::error},
                                    {"critical", LogLevel::critical}}) {
    settings.level = name;
    EXPECT_EQ(settings.parsed_level(), level);
  }
  settings.format = "json";
  EXPECT_EQ(settings.parsed_format(), LogFormat::json);
}

TEST(AppConfig, LimitsReachTheModel) {
  LimitSettings settings;
  settings.label_count_max = 3;
  settings.label_value_max = ByteSize{7};
  settings.past_window = 48h;
  const model::InputLimits limits = settings.to_limits();
  EXPECT_EQ(limits.label_count_max, 3U);
  EXPECT_EQ(limits.label_value_bytes_max, 7U);
  EXPECT_EQ(limits.past_window, 48h);
  EXPECT_EQ(limits.future_window, 10min);
}

}  // namespace
}  // namespace sensus::app
