#include "pg/sqlstate_internal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace sensus::pg {
namespace {

struct Case {
  const char* sqlstate;
  Errc code;
  Reaction reaction;
};

TEST(Sqlstate, MapsWhatTheServerSays) {
  const Case cases[] = {
      {"22P02", Errc::invalid_input, Reaction::give_up},
      {"23514", Errc::invalid_input, Reaction::give_up},
      {"23505", Errc::already_exists, Reaction::give_up},
      {"57014", Errc::timeout, Reaction::give_up},
      {"55P03", Errc::timeout, Reaction::give_up},
      {"08006", Errc::unavailable, Reaction::replace},
      {"57P01", Errc::unavailable, Reaction::replace},
      {"57P03", Errc::unavailable, Reaction::replace},
      {"53100", Errc::unavailable, Reaction::replace},
      {"53300", Errc::unavailable, Reaction::replace},
      {"25006", Errc::unavailable, Reaction::replace},
      {"28P01", Errc::unavailable, Reaction::replace},
      {"42P01", Errc::internal, Reaction::give_up},
      {"40001", Errc::unavailable, Reaction::run_again},
      {"40P01", Errc::unavailable, Reaction::run_again},
      {"40003", Errc::in_doubt, Reaction::replace},
      {"26000", Errc::unavailable, Reaction::replan},
      {"0A000", Errc::internal, Reaction::replan},
      {"08P01", Errc::internal, Reaction::replace},
      {"", Errc::internal, Reaction::give_up},
      {"ZZ999", Errc::internal, Reaction::give_up},
  };
  for (const Case& c : cases) {
    const Verdict verdict = classify(c.sqlstate);
    EXPECT_EQ(verdict.code, c.code) << c.sqlstate;
    EXPECT_EQ(verdict.reaction, c.reaction) << c.sqlstate;
    EXPECT_NE(std::ranges::find(kErrorClasses, verdict.error_class), std::end(kErrorClasses))
        << c.sqlstate;
    EXPECT_FALSE(verdict.advice.empty());
  }
}

TEST(Sqlstate, ARefusedLoginIsKnownByItsText) {
  const std::pair<const char*, const char*> cases[] = {
      {"connection to server on socket \"/s\" failed: FATAL:  too many connections for role \"x\"",
       "53300"},
      {"FATAL:  sorry, too many clients already", "53300"},
      {"FATAL:  remaining connection slots are reserved for non-replication superuser connections",
       "53300"},
      {"FATAL:  password authentication failed for user \"sensus_app\"", "28P01"},
      {"FATAL:  no pg_hba.conf entry for host \"10.0.0.1\", user \"sensus_app\"", "28000"},
      {"fe_sendauth: no password supplied", "28P01"},
      {"connection to server at \"a\" failed: session is read-only", "25006"},
      {"FATAL:  the database system is starting up", "57P03"},
      {"could not connect to server: Connection refused", "08001"},
      {"", "08001"},
  };
  for (const auto& [message, sqlstate] : cases) {
    EXPECT_EQ(sqlstate_of_refusal(message), sqlstate) << message;
    EXPECT_EQ(classify(sqlstate_of_refusal(message)).code, Errc::unavailable) << message;
  }
}

TEST(Sqlstate, KeepsOnlyTheFirstLineOfAMessage) {
  EXPECT_EQ(first_line("ERROR:  duplicate key\nDETAIL:  Key (a)=(secret)"),
            "ERROR:  duplicate key");
  EXPECT_EQ(first_line(std::string(500, 'x')).size(), 200U);
  EXPECT_EQ(first_line(""), "");
}

}  // namespace
}  // namespace sensus::pg
