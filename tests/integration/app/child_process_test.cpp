#include "child_process_internal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>
#include <unistd.h>

namespace sensus::app {
namespace {

using testing::HasSubstr;

ChildSpec shell(const std::string& script) {
  ChildSpec spec;
  spec.argv = {"/bin/sh", "-c", script};
  spec.environment = {"PATH=/usr/bin:/bin", "WORD=from the environment"};
  return spec;
}

TEST(ChildProcess, GivesOutputOfBothStreams) {
  const auto output = run_to_end_blocking(Deadline::after(10s), shell("echo one; echo two >&2; echo $WORD"));
  ASSERT_TRUE(output);
  EXPECT_EQ(*output, "one\ntwo\nfrom the environment\n");
}

TEST(ChildProcess, ReadsItsInput) {
  ChildSpec spec = shell("cat");
  spec.input = "given\n";
  const auto output = run_to_end_blocking(Deadline::after(10s), spec);
  ASSERT_TRUE(output);
  EXPECT_EQ(*output, "given\n");
}

TEST(ChildProcess, AFailureTellsTheCodeAndTheLastWords) {
  const auto output = run_to_end_blocking(Deadline::after(10s), shell("echo it broke; exit 3"));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::unavailable);
  EXPECT_THAT(output.error().message, HasSubstr("exit code 3"));
  EXPECT_THAT(output.error().message, HasSubstr("it broke"));
}

TEST(ChildProcess, AMissingProgramOrDirectoryIsNamed) {
  ChildSpec missing;
  missing.argv = {"/nowhere/program"};
  const auto output = run_to_end_blocking(Deadline::after(10s), missing);
  ASSERT_FALSE(output);
  EXPECT_THAT(output.error().message, HasSubstr("/nowhere/program: No such file or directory"));

  ChildSpec elsewhere = shell("true");
  elsewhere.directory = "/nowhere";
  const auto placed = run_to_end_blocking(Deadline::after(10s), elsewhere);
  ASSERT_FALSE(placed);
  EXPECT_THAT(placed.error().message, HasSubstr("/nowhere"));
}

TEST(ChildProcess, IsKilledAtTheDeadline) {
  const auto began = std::chrono::steady_clock::now();
  const auto output = run_to_end_blocking(Deadline::after(100ms), shell("echo started; exec sleep 60"));
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, Errc::timeout);
  EXPECT_THAT(output.error().message, HasSubstr("started"));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 10s);
}

TEST(ChildProcess, EndsWithTheThreadThatStartedIt) {
  Result<ChildProcess> child = make_error(Errc::internal, "not started");
  const Deadline deadline = Deadline::after(10s);
  std::string output;
  std::thread([&] {
    child = ChildProcess::start(shell("echo up; exec sleep 60"));
    while (child && output.empty() && !deadline.expired()) {
      child->read_output(output);
      std::this_thread::sleep_for(1ms);
    }
  }).join();
  ASSERT_TRUE(child);
  ASSERT_EQ(output, "up\n");
  while (child->running() && !deadline.expired()) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_FALSE(child->running());
}

TEST(ChildProcess, RunsAsAnotherUserWhenRoot) {
  if (::geteuid() != 0) {
    EXPECT_EQ(run_to_end_blocking(Deadline::after(10s), shell("id -u")).value(), std::to_string(::geteuid()) + "\n");
    return;
  }
  ChildSpec spec = shell("id -un; id -gn");
  spec.user = find_user("nobody");
  ASSERT_TRUE(spec.user);
  const auto output = run_to_end_blocking(Deadline::after(10s), spec);
  ASSERT_TRUE(output);
  EXPECT_EQ(*output, "nobody\nnogroup\n");
}

TEST(ChildProcess, AnUnknownUserIsNotFound) { EXPECT_FALSE(find_user("no-such-user-of-sensus")); }

TEST(ChildProcess, IsRecognisedByItsWorkingDirectory) {
  ChildSpec spec = shell("exec sleep 60");
  spec.directory = "/usr";
  auto child = ChildProcess::start(spec);
  ASSERT_TRUE(child);
  const Deadline deadline = Deadline::after(10s);
  while (!is_process_in(child->pid(), "/usr") && !deadline.expired()) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_TRUE(is_process_in(child->pid(), "/usr"));
  EXPECT_FALSE(is_process_in(child->pid(), "/tmp"));
  EXPECT_FALSE(is_process_in(0, "/usr"));
}

}  // namespace
}  // namespace sensus::app
