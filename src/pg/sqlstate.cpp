#include "pg/sqlstate_internal.hpp"

#include <algorithm>
#include <array>

namespace sensus::pg {
namespace {

struct Row {
  std::string_view prefix;  ///< A whole SQLSTATE or a class; the first match wins.
  Verdict verdict;
};

constexpr std::string_view kAway = "the database is not available";
constexpr std::string_view kSlow = "the database did not answer in time";

constexpr std::array kTable{
    Row{"40001",
        {Errc::unavailable, Reaction::run_again, "serialization",
         "the transaction lost against others too often"}},
    Row{"40P01",
        {Errc::unavailable, Reaction::run_again, "deadlock",
         "the transaction deadlocked too often"}},
    Row{"40003",
        {Errc::in_doubt, Reaction::replace, "connection",
         "the outcome of the transaction is unknown"}},
    Row{"40",
        {Errc::unavailable, Reaction::run_again, "serialization",
         "the transaction was rolled back by the server"}},
    Row{"57014", {Errc::timeout, Reaction::give_up, "timeout", kSlow}},
    Row{"55P03",
        {Errc::timeout, Reaction::give_up, "timeout",
         "a lock in the database was not free in time"}},
    Row{"25006",
        {Errc::unavailable, Reaction::replace, "read_only",
         "the database is read-only (a standby, or switched so)"}},
    Row{"26000",
        {Errc::unavailable, Reaction::replan, "stale_plan",
         "prepared statements vanished: use session pooling between Sensus and PostgreSQL"}},
    Row{"0A000",
        {Errc::internal, Reaction::replan, "stale_plan",
         "the database refused a feature or a changed result type"}},
    Row{"53100",
        {Errc::unavailable, Reaction::replace, "disk_full", "the database's disk is full"}},
    Row{"53300",
        {Errc::unavailable, Reaction::replace, "too_many_connections",
         "the database has no connection left"}},
    Row{"53",
        {Errc::unavailable, Reaction::replace, "resources", "the database is out of resources"}},
    Row{"57", {Errc::unavailable, Reaction::replace, "connection", kAway}},
    Row{"58",
        {Errc::unavailable, Reaction::replace, "resources",
         "the database has a system error; see its log"}},
    Row{"08P01",
        {Errc::internal, Reaction::replace, "internal",
         "the database refused a message of the driver"}},
    Row{"08", {Errc::unavailable, Reaction::replace, "connection", kAway}},
    Row{"28",
        {Errc::unavailable, Reaction::replace, "authentication",
         "the database refused the login; check role and password"}},
    Row{"25P03",
        {Errc::unavailable, Reaction::replace, "timeout", "the transaction was idle too long"}},
    Row{"23505", {Errc::already_exists, Reaction::give_up, "constraint", "it exists already"}},
    Row{"23503",
        {Errc::conflict, Reaction::give_up, "constraint",
         "it refers to something that does not exist"}},
    Row{"23",
        {Errc::invalid_input, Reaction::give_up, "constraint",
         "the value breaks a rule of the database"}},
    Row{"22",
        {Errc::invalid_input, Reaction::give_up, "invalid_input",
         "the database cannot represent a value"}},
    Row{"54",
        {Errc::invalid_input, Reaction::give_up, "invalid_input",
         "the request is too complex for the database"}},
    Row{"3F000",
        {Errc::internal, Reaction::give_up, "schema",
         "the schema is missing: migrate the database"}},
    Row{"42",
        {Errc::internal, Reaction::give_up, "schema",
         "the database's schema or privileges do not fit this version: migrate it and check the "
         "roles"}},
    Row{"XX",
        {Errc::internal, Reaction::replace, "internal",
         "the database has an internal error; see its log"}},
};

}  // namespace

Verdict classify(std::string_view sqlstate) {
  const auto row =
      std::ranges::find_if(kTable, [&](const Row& r) { return sqlstate.starts_with(r.prefix); });
  if (row != kTable.end()) {
    return row->verdict;
  }
  return {Errc::internal, Reaction::give_up, "internal", "the database refused a statement"};
}

std::string_view sqlstate_of_refusal(std::string_view message) {
  struct Phrase {
    std::string_view text;
    std::string_view sqlstate;
  };
  constexpr std::array kPhrases{
      Phrase{"too many connections for", "53300"},
      Phrase{"too many clients already", "53300"},
      Phrase{"remaining connection slots", "53300"},
      Phrase{"authentication failed", "28P01"},
      Phrase{"no pg_hba.conf entry", "28000"},
      Phrase{"no password supplied", "28P01"},
      Phrase{"is not permitted to log in", "28000"},
      Phrase{"session is read-only", "25006"},
      Phrase{"the database system is", "57P03"},
  };
  const auto found = std::ranges::find_if(kPhrases, [message](const Phrase& phrase) {
    return message.find(phrase.text) != std::string_view::npos;
  });
  return found != kPhrases.end() ? found->sqlstate : "08001";
}

std::string first_line(std::string_view message) {
  std::string line(message.substr(0, std::min<std::size_t>(message.find('\n'), 200)));
  return line;
}

}  // namespace sensus::pg
