#include "pg/session_internal.hpp"

#include "pg/rows_internal.hpp"
#include "pg/sqlstate_internal.hpp"

#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/nontransaction>
#include <pqxx/prepared_statement>
#include <pqxx/result>

#include <optional>
#include <type_traits>
#include <unordered_map>

namespace sensus::pg {
namespace {

/// libpqxx 6.4 turns some errors into types of their own and drops their SQLSTATE on the way.
/// Subtypes come before their bases.
template <class Base>
std::string sqlstate_by_type(const Base& e) {
  const auto is = [&e]<class T>(std::type_identity<T>) {
    return dynamic_cast<const T*>(&e) != nullptr;
  };
  if (is(std::type_identity<pqxx::deadlock_detected>())) return "40P01";
  if (is(std::type_identity<pqxx::serialization_failure>())) return "40001";
  if (is(std::type_identity<pqxx::statement_completion_unknown>())) return "40003";
  if (is(std::type_identity<pqxx::transaction_rollback>())) return "40000";
  if (is(std::type_identity<pqxx::unique_violation>())) return "23505";
  if (is(std::type_identity<pqxx::foreign_key_violation>())) return "23503";
  if (is(std::type_identity<pqxx::integrity_constraint_violation>())) return "23000";
  if (is(std::type_identity<pqxx::data_exception>())) return "22000";
  if (is(std::type_identity<pqxx::feature_not_supported>())) return "0A000";
  if (is(std::type_identity<pqxx::syntax_error>())) return "42601";
  if (is(std::type_identity<pqxx::insufficient_privilege>())) return "42501";
  if (is(std::type_identity<pqxx::disk_full>())) return "53100";
  if (is(std::type_identity<pqxx::insufficient_resources>())) return "53000";
  if (is(std::type_identity<pqxx::invalid_sql_statement_name>())) return "26000";
  if (is(std::type_identity<pqxx::plpgsql_error>())) return "P0000";
  return "";
}

class PqxxRows final : public Rows::Impl {
 public:
  explicit PqxxRows(pqxx::result result) : result_(std::move(result)) {}
  [[nodiscard]] std::size_t size() const override {
    return static_cast<std::size_t>(result_.size());
  }
  [[nodiscard]] std::size_t affected() const override {
    return static_cast<std::size_t>(result_.affected_rows());
  }
  [[nodiscard]] std::optional<std::string_view> cell(std::size_t row,
                                                     std::size_t column) const override {
    const auto field = result_[static_cast<pqxx::result::size_type>(row)]
                              [static_cast<pqxx::row::size_type>(column)];
    if (field.is_null()) {
      return std::nullopt;
    }
    return std::string_view(field.c_str(), field.size());
  }

 private:
  pqxx::result result_;
};

}  // namespace

struct Session::Impl {
  explicit Impl(const std::string& conninfo) : connection(conninfo) {
// The only way in libpqxx 6 to keep it from reconnecting by itself, which would lose the
// transaction without a word.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
    plain.emplace(connection);
  }

  /// The name under which this session knows the statement; libpqxx prepares it at its first use.
  const std::string& name_of(std::string_view sql) {
    const auto [at, fresh] =
        names.try_emplace(std::string(sql), "s" + std::to_string(names.size()));
    if (fresh) {
      connection.prepare(at->second, at->first);
    }
    return at->second;
  }

  /// Runs `work` and turns every exception of the driver into SqlFailure. The one place that knows
  /// libpqxx's types.
  template <class Work>
  auto guarded(Work work) {
    try {
      return work();
    } catch (const pqxx::sql_error& e) {
      // None at all: the driver itself reports that the connection was cut (libpqxx #280), maybe
      // before closing its end.
      const std::string sqlstate = e.sqlstate().empty() ? sqlstate_by_type(e) : e.sqlstate();
      throw SqlFailure(sqlstate, first_line(e.what()), !connection.is_open() || sqlstate.empty());
    } catch (const pqxx::transaction_rollback& e) {
      throw SqlFailure(sqlstate_by_type(e), first_line(e.what()), !connection.is_open());
    } catch (const pqxx::broken_connection& e) {
      // A refused message (08P01) has this type too, with the connection still open.
      throw SqlFailure(connection.is_open() ? "08P01" : "", first_line(e.what()),
                       !connection.is_open());
    } catch (const pqxx::failure& e) {
      throw SqlFailure("", first_line(e.what()), !connection.is_open());
    }
  }

  pqxx::connection connection;
  // A "nontransaction": BEGIN and COMMIT are ours, so that time limits ride along with BEGIN.
  std::optional<pqxx::nontransaction> plain;
  std::unordered_map<std::string, std::string> names;
  Deadline deadline = Deadline::never();
};

Session::Session(const std::string& conninfo) {
  try {
    impl_ = std::make_unique<Impl>(conninfo);
  } catch (const pqxx::failure& e) {
    throw SqlFailure(std::string(sqlstate_of_refusal(e.what())), first_line(e.what()), true);
  }
}

Session::~Session() = default;

void Session::begin(Access access, std::chrono::milliseconds statement_limit, Deadline deadline) {
  impl_->deadline = deadline;
  const std::string sql =
      std::string(access == Access::read_only ? "begin read only" : "begin read write") +
      "; set local statement_timeout = " + std::to_string(statement_limit.count());
  exec_script(sql);
}

Rows Session::exec(std::string_view sql, const Params& params) {
  if (impl_->deadline.expired()) {
    throw SqlFailure("57014", "the deadline passed between two statements", false);
  }
  return impl_->guarded([&] {
    std::vector<const char*> values;
    values.reserve(params.values().size());
    for (const auto& value : params.values()) {
      values.push_back(value ? value->c_str() : nullptr);
    }
    auto result = impl_->plain->exec_prepared(impl_->name_of(sql),
                                              pqxx::prepare::make_dynamic_params(values));
    return Rows(std::make_shared<PqxxRows>(std::move(result)));
  });
}

void Session::exec_script(const std::string& sql) {
  impl_->guarded([&] { impl_->plain->exec(sql); });
}

void Session::commit() { exec_script("commit"); }

bool Session::rollback() noexcept {
  try {
    if (!impl_->connection.is_open()) {
      return false;
    }
    exec_script("rollback");
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

int Session::socket() const { return impl_->connection.sock(); }

}  // namespace sensus::pg
