#include "fixture.hpp"

#include "document_internal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <unistd.h>

namespace sensus::config::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(Reader, SetsEveryTypeOfKey) {
  Fixture f;
  EXPECT_THAT(f.read("server:\n  listen: [a:1, 'b:2']\n  timeout: 1m30s\n  limit: 2MiB\n  workers: 8\n  threshold: 0.25\n"
                     "  verbose: true\naccess:\n  name: \"x y\"\n  password: hush\n  level: debug\n"),
              IsEmpty());
  EXPECT_THAT(f.listen, ElementsAre("a:1", "b:2"));
  EXPECT_EQ(f.timeout, 90s);
  EXPECT_EQ(f.limit, 2_MiB);
  EXPECT_EQ(f.workers, 8);
  EXPECT_DOUBLE_EQ(f.threshold, 0.25);
  EXPECT_TRUE(f.verbose);
  EXPECT_EQ(f.name, "x y");
  EXPECT_EQ(f.password.reveal(), "hush");
  EXPECT_EQ(f.level, "debug");
}

TEST(Reader, AnEmptyFileOrSectionKeepsDefaults) {
  Fixture f;
  EXPECT_THAT(f.read(""), IsEmpty());
  EXPECT_THAT(f.read("# only a comment\n"), IsEmpty());
  EXPECT_THAT(f.read("server:\n  # workers: 3\naccess:\n"), IsEmpty());
  EXPECT_EQ(f.workers, 4);
}

TEST(Reader, ReportsEveryMistakeAtOnceWithItsPlace) {
  Fixture f;
  EXPECT_THAT(f.read("server:\n  workers: 65\n  timeout: soon\n  verbose: yes\naccess:\n  level: loud\n"),
              ElementsAre("f:2:12: server.workers: '65' is out of range: allowed is 1 to 64",
                          "f:3:12: server.timeout: 'soon' is not a duration: write e.g. 250ms, 15s, 5m, 2h, 30d or 1h30m; allowed is "
                          "100ms to 10m",
                          "f:4:12: server.verbose: 'yes' is not a boolean: allowed is true or false",
                          "f:6:10: access.level: 'loud' is not known: allowed is one of debug, info, error"));
}

TEST(Reader, NamesTheNearestKeyAndSection) {
  Fixture f;
  EXPECT_THAT(f.read("servr:\n  x: 1\nserver:\n  worker: 2\n  color: red\n"),
              ElementsAre("f:1:1: servr: unknown section: did you mean 'server'?",
                          "f:4:3: server.worker: unknown key: did you mean 'workers'?",
                          "f:5:3: server.color: unknown key: allowed is listen, timeout, limit, workers, threshold, verbose"));
}

TEST(Reader, RefusesDuplicateKeys) {
  Fixture f;
  EXPECT_THAT(f.read("server:\n  workers: 2\n  workers: 3\nserver:\n  workers: 4\n"),
              ElementsAre("f:3:3: server.workers: given twice: keep one", "f:4:1: server: given twice: keep one"));
}

TEST(Reader, RefusesAnchorsAliasesTagsAndSecondDocuments) {
  Fixture f;
  EXPECT_THAT(f.read("server: &a\n  workers: 2\n"), ElementsAre(HasSubstr("anchors")));
  EXPECT_THAT(f.read("server:\n  workers: &a 2\n"), ElementsAre(HasSubstr("anchors")));
  EXPECT_THAT(f.read("access:\n  name: !!binary aGk=\n"), ElementsAre(HasSubstr("tags")));
  EXPECT_THAT(f.read("server:\n  workers: 2\n---\nserver:\n  workers: 3\n"), ElementsAre(HasSubstr("second YAML document")));
}

TEST(Reader, RefusesWrongShapes) {
  Fixture f;
  EXPECT_THAT(f.read("- a\n"), ElementsAre(HasSubstr("expected sections")));
  EXPECT_THAT(f.read("server: 3\n"), ElementsAre(HasSubstr("f:1:9: server: expected keys")));
  EXPECT_THAT(f.read("server:\n  workers: [1]\n"), ElementsAre(HasSubstr("expected one value (integer)")));
  EXPECT_THAT(f.read("server:\n  workers:\n"), ElementsAre(HasSubstr("has no value: expected integer")));
  EXPECT_THAT(f.read("server:\n  listen: a:1\n"), ElementsAre(HasSubstr("expected a list")));
  EXPECT_THAT(f.read("server:\n  listen: [a, [b]]\n"), ElementsAre(HasSubstr("server.listen[1]: expected one value")));
  EXPECT_THAT(f.read("[a]: b\n"), ElementsAre(HasSubstr("a key must be a plain word")));
  EXPECT_THAT(f.read("server: [1\n"), ElementsAre(HasSubstr("not valid YAML")));
}

TEST(Reader, RefusesWhatIsTooDeepTooLargeOrNotText) {
  Fixture f;
  EXPECT_THAT(f.read("server: {a: {b: {c: {d: {e: {f: {g: 1}}}}}}}\n"), ElementsAre(HasSubstr("server.a: unknown key")));
  EXPECT_THAT(f.read("server: {a: {b: {c: {d: {e: {f: {g: {h: 1}}}}}}}}\n"), ElementsAre(HasSubstr("deeper than 8")));
  EXPECT_THAT(f.read(std::string((1U << 20U) - 1, '#') + "\n"), IsEmpty());
  EXPECT_THAT(f.read(std::string(1U << 20U, '#') + "\n"), ElementsAre("f: the file is larger than 1MiB"));
  EXPECT_THAT(f.read("access:\n  name: \xFF\n"), ElementsAre("f:2:9: not valid UTF-8 text"));
  EXPECT_THAT(f.read(std::string_view("a: \0", 4)), ElementsAre("f:1:4: not valid UTF-8 text"));
}

TEST(Reader, TakesValuesFromTheEnvironment) {
  Fixture f;
  f.variables = {{"WORKERS", "7"}, {"HOST", "db"}, {"EMPTY", ""}};
  EXPECT_THAT(f.read("server:\n  workers: ${WORKERS}\n  timeout: ${NONE:-7s}\n  listen: ['${HOST}:${PORT:-1}', '${EMPTY:-x}']\n"
                     "access:\n  name: 'a $${HOST} $5'\n"),
              IsEmpty());
  EXPECT_EQ(f.workers, 7);
  EXPECT_EQ(f.timeout, 7s);
  EXPECT_THAT(f.listen, ElementsAre("db:1", "x"));
  EXPECT_EQ(f.name, "a ${HOST} $5");
}

TEST(Reader, ExplainsBrokenEnvironmentReferences) {
  Fixture f;
  EXPECT_THAT(f.read("access:\n  name: ${NONE}\n  password: ${OPEN\n  level: ${9-}\n"),
              ElementsAre(HasSubstr("access.name: environment variable NONE is not set"),
                          HasSubstr("access.password: '${' without its '}'"), HasSubstr("does not name an environment variable")));
}

class SecretFile {
 public:
  explicit SecretFile(const std::string& content) {
    path_ = testing::TempDir() + "secret-" + std::to_string(::getpid());
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~SecretFile() { std::remove(path_.c_str()); }
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Reader, TakesSecretsFromFilesWithoutTheirLastNewline) {
  const SecretFile file("two\nlines\r\n");
  Fixture f;
  f.variables = {{"DIR", file.path()}};
  EXPECT_THAT(f.read("access:\n  password_file: ${DIR}\n"), IsEmpty());
  EXPECT_EQ(f.password.reveal(), "two\nlines");
}

TEST(Reader, RefusesASecretGivenTwiceMissingOrTooLarge) {
  const SecretFile file(std::string(64 * 1024 + 1, 'x'));
  Fixture f;
  EXPECT_THAT(f.read("access:\n  password_file: /nowhere/secret\n"), ElementsAre(HasSubstr("cannot read '/nowhere/secret'")));
  EXPECT_THAT(f.read("access:\n  password_file: " + file.path() + "\n"), ElementsAre(HasSubstr("larger than 64KiB")));
  EXPECT_THAT(f.read("access:\n  name_file: /etc/hostname\n"), ElementsAre(HasSubstr("unknown key")));
  EXPECT_THAT(f.read("access:\n  password: canary\n  password_file: /dev/null\n"),
              ElementsAre(testing::AllOf(HasSubstr("keep one"), Not(HasSubstr("canary")))));
}

TEST(Nearest, FindsSlipsAndNothingElse) {
  const std::vector<std::string> words{"timeout", "timeouts_max", "listen"};
  EXPECT_EQ(find_nearest("timout", words), "timeout");
  EXPECT_EQ(find_nearest("lisetn", words), "listen");
  EXPECT_EQ(find_nearest("database", words), "");
  EXPECT_EQ(find_nearest(std::string(1000, 'x'), words), "");
}

struct Shelf {
  std::string label;
  std::int64_t books = 3;
};

void describe(Section& section, Shelf& shelf) {
  section.string("label", shelf.label, "What stands on it.").required();
  section.integer("books", shelf.books, 0, 99, "How many.");
}

struct Library {
  std::deque<Shelf> shelves;
  std::vector<Section> sections{Section("library", "Books.")};
  Library() { sections.front().rows("shelves", shelves, describe, "Where books stand."); }
  std::vector<std::string> read(const std::string& text) {
    std::vector<std::string> out;
    for (const Problem& problem : read_yaml(text, sections, [](const std::string&) { return std::nullopt; })) {
      out.push_back(render(problem, "f"));
    }
    return out;
  }
};

TEST(Reader, ReadsAListOfMaps) {
  Library library;
  EXPECT_THAT(library.read("library:\n  shelves:\n    - label: poems\n      books: 7\n    - {label: 'maps: old'}\n"), IsEmpty());
  ASSERT_EQ(library.shelves.size(), 2U);
  EXPECT_EQ(library.shelves[0].label, "poems");
  EXPECT_EQ(library.shelves[0].books, 7);
  EXPECT_EQ(library.shelves[1].label, "maps: old");
  EXPECT_EQ(library.shelves[1].books, 3);
  EXPECT_THAT(render_current_yaml(library.sections), HasSubstr("shelves: [{label: poems, books: 7}, {label: \"maps: old\"}]"));
  Library again;
  EXPECT_THAT(again.read(render_current_yaml(library.sections)), IsEmpty());
  EXPECT_EQ(again.shelves[1].label, "maps: old");
}

TEST(Reader, TellsWhichMapOfAListIsWrong) {
  Library library;
  EXPECT_THAT(library.read("library:\n  shelves:\n    - label: poems\n      boks: 1\n    - books: 100\n    - poems\n"),
              ElementsAre("f:4:7: library.shelves[0].boks: unknown key: did you mean 'books'?",
                          "f:5:14: library.shelves[1].books: '100' is out of range: allowed is 0 to 99",
                          "f:5:7: library.shelves[1].label: is missing: give it a value (string)",
                          "f:6:7: library.shelves[2]: expected a map, e.g. 'label: ...'"));
  EXPECT_THAT(library.read("library:\n  shelves: poems\n"),
              ElementsAre("f:2:12: library.shelves: expected a list of maps: a line '- key: value' for each"));
  std::string many = "library:\n  shelves:\n";
  for (int i = 0; i < 257; ++i) {
    many += "    - label: x\n";
  }
  EXPECT_THAT(library.read(many), ElementsAre("f:3:5: library.shelves: 257 are too many: allowed is at most 256"));
}

TEST(Reader, ReferencesNameTheKeysOfMaps) {
  const Library library;
  EXPECT_THAT(render_reference_yaml(library.sections),
              HasSubstr("  # Where books stand. (list of maps, at most 256)\n"
                        "  #  - label: What stands on it. (string, required)\n"
                        "  #  - books: How many. (integer, 0 to 99)\n  shelves: []\n"));
  EXPECT_THAT(render_reference_markdown(library.sections),
              HasSubstr("| `shelves[].label` | string |  | required |  | What stands on it. |\n"
                        "| `shelves[].books` | integer | 0 to 99 | `3` |  | How many. |\n"));
}

}  // namespace
}  // namespace sensus::config::test
