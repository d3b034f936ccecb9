#include "fixture.hpp"

#include "document_internal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace sensus::config::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(Reference, YamlHoldsEveryDefaultAndReadsBack) {
  Fixture f;
  const std::string yaml = render_reference_yaml(f.sections);
  EXPECT_THAT(yaml, HasSubstr("# The HTTP server.\nserver:\n  # Addresses to listen on. (list of strings, up to 64 entries)\n"
                              "  listen: [\"127.0.0.1:8080\"]\n"));
  EXPECT_THAT(yaml, HasSubstr("  # What is logged. (one of debug|info|error; applied by SIGHUP and /-/reload)\n  level: info\n"));

  Fixture other;
  other.workers = 63;
  EXPECT_THAT(other.read(yaml), IsEmpty());
  EXPECT_EQ(other.workers, 4);
  EXPECT_EQ(other.timeout, 5s);
}

TEST(Reference, MarkdownHasARowForEveryKey) {
  Fixture f;
  const std::string page = render_reference_markdown(f.sections);
  EXPECT_THAT(page, HasSubstr("## access\n"));
  EXPECT_THAT(page, HasSubstr("| `workers` | integer | 1 to 64 | `4` |  | Threads. |\n"));
  EXPECT_THAT(page, HasSubstr("| `threshold` | number | 0 to 1 | `0.5` |  | Where \\| it begins. |\n"));
  EXPECT_THAT(page, HasSubstr("| `level` | one of debug\\|info\\|error |  | `info` | yes |"));
}

TEST(Reference, CurrentValuesReadBackWithSecretsMasked) {
  Fixture f;
  f.name = "a: \"b\" # ${HOME} \\ \n end";
  f.password = Secret("canary");
  f.listen = {"x", "true", ""};
  const std::string yaml = render_current_yaml(f.sections);
  EXPECT_THAT(yaml, Not(HasSubstr("canary")));

  Fixture other;
  EXPECT_THAT(other.read(yaml), IsEmpty());
  EXPECT_EQ(other.name, f.name);
  EXPECT_EQ(other.listen, f.listen);
}

TEST(Reference, PasswordsInsideConnectionStringsAreMasked) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"postgresql://app:canary@db:5432/sensus", "postgresql://app:<secret>@db:5432/sensus"},
      {"postgresql://app:can@ary@db/sensus", "postgresql://app:<secret>@db/sensus"},
      {"postgresql://app:can/ary@db", "postgresql://app:<secret>@db"},
      {"postgresql://app@db:5432/sensus?password=canary&sslmode=require",
       "postgresql://app@db:5432/sensus?password=<secret>&sslmode=require"},
      {"host=db password=canary user=app", "host=db password=<secret> user=app"},
      {"host=db password = 'can \\' ary' user=app", "host=db password = <secret> user=app"},
      {"sslpassword=canary password=", "sslpassword=<secret> password=<secret>"},
      {"http://me:canary@ollama:11434", "http://me:<secret>@ollama:11434"},
      {"http://localhost:11434", "http://localhost:11434"},
      {"host=/run/postgresql dbname=password", "host=/run/postgresql dbname=password"},
  };
  for (const auto& [given, shown] : cases) {
    EXPECT_EQ(mask_passwords(given), shown);
  }
  Fixture f;
  f.name = cases.front().first;
  EXPECT_THAT(render_current_yaml(f.sections), Not(HasSubstr("canary")));
}

TEST(Reference, LongHelpIsWrapped) {
  std::int64_t value = 0;
  Section section("s", "Help.");
  std::string help;
  for (int i = 0; i < 60; ++i) {
    help += "word ";
  }
  section.integer("k", value, 0, 1, help);
  const std::string yaml = render_reference_yaml({section});
  std::size_t longest = 0;
  for (std::size_t at = 0; at < yaml.size();) {
    const std::size_t end = yaml.find('\n', at);
    longest = std::max(longest, end - at);
    at = end + 1;
  }
  EXPECT_LE(longest, 100U);
}

TEST(Reference, ScalarsAreQuotedOnlyWhereYamlNeedsIt) {
  EXPECT_EQ(render_scalar("plain-word_1.x"), "plain-word_1.x");
  EXPECT_EQ(render_scalar("/run/sock"), "/run/sock");
  EXPECT_EQ(render_scalar(""), "\"\"");
  EXPECT_EQ(render_scalar("no"), "\"no\"");
  EXPECT_EQ(render_scalar("a: b"), "\"a: b\"");
  EXPECT_EQ(render_scalar("-x"), "\"-x\"");
  EXPECT_EQ(render_scalar("q\"\\"), "\"q\\\"\\\\\"");
}

}  // namespace
}  // namespace sensus::config::test
