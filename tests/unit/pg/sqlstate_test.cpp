#include "pg/sqlstate_internal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

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

TEST(Sqlstate, KeepsOnlyTheFirstLineOfAMessage) {
  EXPECT_EQ(first_line("ERROR:  duplicate key\nDETAIL:  Key (a)=(secret)"),
            "ERROR:  duplicate key");
  EXPECT_EQ(first_line(std::string(500, 'x')).size(), 200U);
  EXPECT_EQ(first_line(""), "");
}

}  // namespace
}  // namespace sensus::pg
