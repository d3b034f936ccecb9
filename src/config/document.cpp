#include "document_internal.hpp"

#include "sensus/core/utf8.hpp"

#include <algorithm>
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace sensus::config {
namespace {

/// Thrown out of the parser at the first construct that is refused; never leaves this file.
struct Refused {
  Problem problem;
};

Problem problem_at(const YAML::Mark& mark, std::string message) {
  return Problem{mark.line + 1, mark.column + 1, "", std::move(message)};
}

/// Builds the tree. Nodes under construction are kept on a stack by value, so no pointer can dangle.
class TreeBuilder final : public YAML::EventHandler {
 public:
  Node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add(make(Node::Kind::null, mark));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{problem_at(mark, "YAML aliases (*name) are not allowed: write the value out")};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    Node node = make(Node::Kind::scalar, mark);
    node.scalar = value;
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(Node::Kind::list, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(Node::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  static Node make(Node::Kind kind, const YAML::Mark& mark) {
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }
  static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) {
      throw Refused{problem_at(mark, "YAML anchors (&name) are not allowed: write the value where it is used")};
    }
  }
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    // "?" marks a plain and "!" a quoted node without a tag.
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw Refused{problem_at(mark, "YAML tags (" + tag + ") are not allowed")};
    }
  }
  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (open_.size() >= kDepthMax) {
      throw Refused{problem_at(mark, "nested deeper than " + std::to_string(kDepthMax) + " levels")};
    }
    open_.push_back(make(kind, mark));
  }
  void close() {
    Node done = std::move(open_.back());
    open_.pop_back();
    add(std::move(done));
  }
  void add(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().items.push_back(std::move(node));
    }
  }

  Node root_;
  std::vector<Node> open_;
};

Problem problem_at_offset(std::string_view text, std::size_t offset, std::string message) {
  const std::string_view before = text.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start = before.rfind('\n');
  const std::size_t column = line_start == std::string_view::npos ? offset : offset - line_start - 1;
  return Problem{static_cast<int>(line) + 1, static_cast<int>(column) + 1, "", std::move(message)};
}

}  // namespace

Document parse_document(std::string_view text) {
  Document document;
  if (text.size() > kTextBytesMax) {
    document.problems.push_back(Problem{0, 0, "", "the file is larger than 1MiB"});
    return document;
  }
  if (const std::size_t at = std::min(find_invalid_utf8(text), text.find('\0')); at != std::string_view::npos) {
    document.problems.push_back(problem_at_offset(text, at, "not valid UTF-8 text"));
    return document;
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder;
    if (parser.HandleNextDocument(builder)) {
      document.root = builder.take();
      TreeBuilder second;
      if (parser.HandleNextDocument(second)) {
        const Node extra = second.take();
        document.problems.push_back(Problem{extra.line, extra.column, "", "a second YAML document: only one is allowed"});
      }
    }
  } catch (const Refused& refused) {
    document.problems.push_back(refused.problem);
  } catch (const YAML::Exception& error) {
    document.problems.push_back(problem_at(error.mark, "not valid YAML: " + error.msg));
  }
  return document;
}

}  // namespace sensus::config
