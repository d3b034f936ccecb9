#include "sensus/storage/analyses.hpp"

#include "store_fixture.hpp"

#include <boost/asio/use_awaitable.hpp>

namespace sensus::storage {
namespace {

namespace asio = boost::asio;
using model::ModelVersion;
using test::at;
using test::soon;

ModelVersion version(std::string name, const std::string& date) {
  ModelVersion v;
  v.version = std::move(name);
  v.algorithm = "isolation_forest";
  v.profile = "standard";
  v.parameters_json = R"({"warmup": 60})";
  v.training_date = at(date);
  return v;
}

runtime::Async<ModelVersion> publish(ModelStore& models, ModelVersion v) {
  const Deadline deadline = soon();
  auto published = co_await models.publish(deadline, kDefaultTenant, std::move(v));
  co_return published;
}

CORO_TEST(ModelVersions, AreSealedAndOneOfAnAlgorithmIsActive) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto models = make_model_store(store.database);
  const Result<ModelVersion> first = co_await publish(*models, version("one", "2026-11-20T02:00:00Z"));
  CO_ASSERT_OK(first);
  EXPECT_TRUE(first->is_active);
  EXPECT_FALSE(first->is_pinned);
  EXPECT_EQ(first->checksum.size(), 64U);
  const Deadline deadline = soon();
  const Result<ModelVersion> second = co_await models->add(deadline, kDefaultTenant, version("two", "2026-11-21T02:00:00Z"));
  CO_ASSERT_OK(second);
  EXPECT_FALSE(second->is_active);
  EXPECT_NE(second->checksum, first->checksum);
  const Result<ModelVersion> active = co_await models->active(deadline, kDefaultTenant, "isolation_forest");
  CO_ASSERT_OK(active);
  EXPECT_EQ(active->version, "one");
}

CORO_TEST(ModelVersions, AreRolledBackByHandAndThenPinned) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto models = make_model_store(store.database);
  const Result<ModelVersion> first = co_await publish(*models, version("one", "2026-11-20T02:00:00Z"));
  CO_ASSERT_OK(first);
  const Result<ModelVersion> second = co_await publish(*models, version("two", "2026-11-21T02:00:00Z"));
  CO_ASSERT_OK(second);
  const Deadline deadline = soon();
  const Result<ModelVersion> back = co_await models->activate(deadline, kDefaultTenant, first->id);
  CO_ASSERT_OK(back);
  EXPECT_TRUE(back->is_active);
  EXPECT_TRUE(back->is_pinned);
  EXPECT_EQ(store.value("select string_agg(version, ',') from model_versions where is_active"), "one");
  const Result<ModelVersion> missing = co_await models->activate(deadline, kDefaultTenant, 4711);
  CO_ASSERT_TRUE(!missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  const Result<ModelVersion> third = co_await publish(*models, version("three", "2026-11-22T02:00:00Z"));
  CO_ASSERT_OK(third);
  EXPECT_EQ(store.value("select count(*) from model_versions where is_pinned"), "0") << "nothing is left of the pin";
}

CORO_TEST(ModelVersions, AChangedOneIsNotActivated) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto models = make_model_store(store.database);
  const Result<ModelVersion> first = co_await publish(*models, version("one", "2026-11-20T02:00:00Z"));
  CO_ASSERT_OK(first);
  const Result<ModelVersion> second = co_await publish(*models, version("two", "2026-11-21T02:00:00Z"));
  CO_ASSERT_OK(second);
  store.db.admin("update model_versions set parameters = '{\"warmup\": 20}' where version = 'one'");
  const Deadline deadline = soon();
  const Result<ModelVersion> refused = co_await models->activate(deadline, kDefaultTenant, first->id);
  CO_ASSERT_TRUE(!refused);
  EXPECT_EQ(refused.error().code, Errc::corrupt);
  EXPECT_EQ(store.value("select version from model_versions where is_active"), "two");
}

CORO_TEST(ModelVersions, CarryFiguresAndThoseOfLongAgoGo) {
  const runtime::Executor executor = co_await asio::this_coro::executor;
  test::Store store(executor);
  const auto models = make_model_store(store.database);
  const Result<ModelVersion> first = co_await publish(*models, version("1", "2026-11-20T02:00:00Z"));
  CO_ASSERT_OK(first);
  const Deadline deadline = soon();
  for (const std::string name : {"2", "3", "4"}) {
    const Result<ModelVersion> added = co_await models->add(deadline, kDefaultTenant, version(name, "2026-11-2" + name + "T02:00:00Z"));
    CO_ASSERT_OK(added);
  }
  const Timestamp to = at("2026-11-20T02:00:00Z");
  const Result<> set = co_await models->set_quality(deadline, kDefaultTenant, first->id, R"({"series": 5})", to - 24h, to);
  CO_ASSERT_OK(set);
  const Result<ModelVersion> read = co_await models->get(deadline, kDefaultTenant, first->id);
  CO_ASSERT_OK(read);
  EXPECT_EQ(read->quality_json, R"({"series": 5})");
  EXPECT_EQ(read->training_from, to - 24h);
  EXPECT_EQ(read->checksum, first->checksum);
  const Result<std::size_t> purged = co_await models->purge(deadline, kDefaultTenant, "isolation_forest", 2);
  CO_ASSERT_OK(purged);
  EXPECT_EQ(*purged, 1U);
  EXPECT_EQ(store.value("select string_agg(version, ',' order by version) from model_versions"), "1,3,4");
}

}  // namespace
}  // namespace sensus::storage
