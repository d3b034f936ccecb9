#include "sensus/app/ctl.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace sensus::app {
namespace {

int ctl(std::vector<std::string> words) {
  words.insert(words.begin(), "sensusctl");
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  return run_ctl(static_cast<int>(words.size()), argv.data());
}

class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) {
    std::string pattern = (std::filesystem::temp_directory_path() / "ctl_test_XXXXXX").string();
    const int fd = ::mkstemp(pattern.data());
    EXPECT_GE(fd, 0);
    path_ = pattern;
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  ConfigFile(const ConfigFile&) = delete;
  ConfigFile& operator=(const ConfigFile&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST(Ctl, WrongFlagsAreTwo) {
  EXPECT_EQ(ctl({}), 2);
  EXPECT_EQ(ctl({"config"}), 2);
  EXPECT_EQ(ctl({"config", "polish"}), 2);
  EXPECT_EQ(ctl({"config", "check", "--nonsense"}), 2);
}

TEST(Ctl, HelpAndVersionAreZero) {
  EXPECT_EQ(ctl({"--help"}), 0);
  EXPECT_EQ(ctl({"--version"}), 0);
  EXPECT_EQ(ctl({"config", "check", "--help"}), 0);
}

TEST(Ctl, ChecksTheNamedFile) {
  const ConfigFile good("server:\n  listen: [\"127.0.0.1:9999\"]\n");
  EXPECT_EQ(ctl({"--config", good.path(), "config", "check"}), 0);
  EXPECT_EQ(ctl({"config", "check", "--config", good.path()}), 0);

  const ConfigFile bad("server:\n  lissen: 127.0.0.1:9999\n");
  testing::internal::CaptureStderr();
  EXPECT_EQ(ctl({"config", "check", "--config", bad.path()}), 1);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::HasSubstr("server.lissen"));
  EXPECT_EQ(ctl({"config", "check", "--config", "/nowhere/sensus.yaml"}), 1);
}

}  // namespace
}  // namespace sensus::app
