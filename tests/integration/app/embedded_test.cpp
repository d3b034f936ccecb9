#include "embedded_internal.hpp"

#include "support/services.hpp"
#include "temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <thread>
#include <unistd.h>

namespace sensus::app {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// The cluster is made once; tests that change it work on a copy of the directory.
class EmbeddedTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    pristine_ = std::make_unique<test::TemporaryDirectory>();
    telemetry::Metrics metrics;
    auto made = EmbeddedServices::start_blocking(pristine_->path() / "var", telemetry::Log(), metrics);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_TRUE((*made)->stop_blocking(Deadline::after(20s)));
  }
  static void TearDownTestSuite() { pristine_.reset(); }

  EmbeddedTest() { copy_to(directory_.path() / "var"); }

  static void copy_to(const fs::path& target) {
    ChildSpec copy;
    copy.argv = {"/bin/cp", "-a", (pristine_->path() / "var").string(), target.string()};
    ASSERT_TRUE(run_to_end_blocking(Deadline::after(60s), copy));
  }

  std::unique_ptr<EmbeddedServices> start(const fs::path& path) {
    auto started = EmbeddedServices::start_blocking(path, telemetry::Log(), metrics_);
    EXPECT_TRUE(started) << started.error().message;
    return started ? std::move(*started) : nullptr;
  }

  static fs::path sockets_of(const EmbeddedServices& services) {
    redis::Options options;
    services.apply(options);
    return fs::path(options.socket).parent_path();
  }

  static pid_t postmaster(const fs::path& var) {
    std::ifstream stream(var / "postgres/data/postmaster.pid");
    pid_t pid = 0;
    stream >> pid;
    return pid;
  }

  static std::unique_ptr<test::TemporaryDirectory> pristine_;
  test::TemporaryDirectory directory_;
  telemetry::Metrics metrics_;
};

std::unique_ptr<test::TemporaryDirectory> EmbeddedTest::pristine_;

TEST_F(EmbeddedTest, ServesADatabaseWithTheRolesAndARedis) {
  const auto services = start(directory_.path() / "var");
  ASSERT_TRUE(services);
  sensus::test::AdminConnection admin(sockets_of(*services), "sensus");
  EXPECT_EQ(admin.value("SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'sensus%'"),
            "sensus_app,sensus_grafana,sensus_owner");
  EXPECT_EQ(admin.value("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'sensus'"), "sensus_owner");
  EXPECT_EQ(admin.value("SHOW server_encoding"), "UTF8");
  EXPECT_EQ(admin.value("SHOW synchronous_commit"), "on");
  EXPECT_EQ(admin.value("SHOW fsync"), "on");
  EXPECT_EQ(admin.value("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'sensus%' AND (rolsuper OR rolbypassrls)"), "0");
  pg::Options options;
  services->apply(options);
  EXPECT_THAT(options.url, HasSubstr("user=sensus_app"));
  EXPECT_THAT(options.migration_url, HasSubstr("user=sensus_owner"));
  EXPECT_EQ(fs::status(sockets_of(*services)).permissions(), fs::perms(0700));
  EXPECT_TRUE(services->stop_blocking(Deadline::after(20s)));
}

TEST_F(EmbeddedTest, KeepsDataOverAStop) {
  const fs::path var = directory_.path() / "var";
  auto services = start(var);
  ASSERT_TRUE(services);
  sensus::test::AdminConnection(sockets_of(*services), "sensus").exec("CREATE TABLE kept AS SELECT 42 AS answer");
  EXPECT_TRUE(services->stop_blocking(Deadline::after(20s)));
  services.reset();
  services = start(var);
  ASSERT_TRUE(services);
  EXPECT_EQ(sensus::test::AdminConnection(sockets_of(*services), "sensus").value("SELECT answer FROM kept"), "42");
}

TEST_F(EmbeddedTest, ADirectoryBelongsToOneDaemon) {
  const fs::path var = directory_.path() / "var";
  const auto services = start(var);
  ASSERT_TRUE(services);
  const auto second = EmbeddedServices::start_blocking(var, telemetry::Log(), metrics_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::conflict);
  EXPECT_THAT(second.error().message, HasSubstr("another sensusd"));
}

TEST_F(EmbeddedTest, AKilledServerIsStartedAgain) {
  const fs::path var = directory_.path() / "var";
  const auto services = start(var);
  ASSERT_TRUE(services);
  const pid_t before = postmaster(var);
  ASSERT_EQ(::kill(before, SIGKILL), 0);
  const Deadline deadline = Deadline::after(30s);
  std::string answer;
  while (answer != "1" && !deadline.expired()) {
    std::this_thread::sleep_for(50ms);
    try {
      answer = postmaster(var) != before ? sensus::test::AdminConnection(sockets_of(*services), "sensus").value("SELECT 1") : "";
    } catch (const std::runtime_error&) {
      answer.clear();
    }
  }
  EXPECT_EQ(answer, "1");
  EXPECT_THAT(metrics_.render(), HasSubstr("sensus_embedded_restarts_total{service=\"postgres\"}"));
}

TEST_F(EmbeddedTest, TheServersOfAnEarlierRunAreEnded) {
  const fs::path var = directory_.path() / "var";
  // What kill -9 of a daemon may leave for a moment: a postmaster of this cluster that nobody supervises.
  auto layout = make_layout(var, telemetry::Log());
  ASSERT_TRUE(layout);
  auto spec = prepare_postgres_blocking(*layout, telemetry::Log());
  ASSERT_TRUE(spec);
  auto left_behind = ChildProcess::start(spec->child);
  ASSERT_TRUE(left_behind);
  const Deadline deadline = Deadline::after(20s);
  while (!spec->ready(left_behind->pid()) && !deadline.expired()) {
    std::this_thread::sleep_for(10ms);
  }
  ASSERT_TRUE(spec->ready(left_behind->pid()));
  // It is a child of this process, so somebody must reap it for it to be gone.
  std::thread reaper([&] {
    while (left_behind->running() && !deadline.expired()) {
      std::this_thread::sleep_for(5ms);
    }
  });
  const auto services = start(var);
  reaper.join();
  ASSERT_TRUE(services);
  EXPECT_FALSE(left_behind->running());
  EXPECT_NE(postmaster(var), left_behind->pid());
}

TEST_F(EmbeddedTest, ALongDirectoryGetsAShortOneForItsSockets) {
  const fs::path deep = directory_.path() / std::string(60, 'a') / std::string(60, 'b');
  fs::create_directories(deep);
  copy_to(deep / "var");
  auto services = start(deep / "var");
  ASSERT_TRUE(services);
  const fs::path sockets = sockets_of(*services);
  EXPECT_LE(sockets.string().size(), kSocketDirectoryBytesMax);
  EXPECT_EQ(sensus::test::AdminConnection(sockets, "sensus").value("SELECT 1"), "1");
  services.reset();
  fs::remove_all(sockets);
}

TEST_F(EmbeddedTest, ADirectoryClosedToTheServersUserKeepsLinks) {
  if (::geteuid() != 0) {
    EXPECT_FALSE(make_layout("/root/closed", telemetry::Log()));
    return;
  }
  const fs::path closed = directory_.path() / "closed";
  fs::create_directory(closed);
  fs::permissions(closed, fs::perms(0700));
  auto layout = make_layout(closed / "var", telemetry::Log());
  ASSERT_TRUE(layout) << layout.error().message;
  EXPECT_TRUE(layout->elsewhere);
  EXPECT_EQ(layout->postgres, fs::path("/var/lib/sensus") / path_hash(closed / "var") / "postgres");
  EXPECT_TRUE(fs::is_symlink(closed / "var/postgres"));
  EXPECT_TRUE(make_layout(closed / "var", telemetry::Log()));
  fs::remove_all(layout->postgres.parent_path());
}

TEST_F(EmbeddedTest, AForeignDirectoryIsRefused) {
  const fs::path var = directory_.path() / "foreign";
  fs::create_directories(var);
  std::ofstream(var / "postgres") << "a file";
  const auto layout = make_layout(var, telemetry::Log());
  ASSERT_FALSE(layout);
  EXPECT_THAT(layout.error().message, HasSubstr("is not a directory of user"));
}

TEST(PathHash, IsStable) {
  EXPECT_EQ(path_hash("/a"), path_hash("/a"));
  EXPECT_NE(path_hash("/a"), path_hash("/b"));
  EXPECT_EQ(path_hash("/a").size(), 16U);
}

}  // namespace
}  // namespace sensus::app
