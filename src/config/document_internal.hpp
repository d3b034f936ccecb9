#pragma once

#include "sensus/config/reader.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace sensus::config {

/// A YAML node with its place. Maps keep their entries in order of appearance, duplicates included.
struct Node {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  int line = 0;
  int column = 0;
  std::string scalar;
  std::vector<Node> items;   ///< Of a list; of a map: key, value, key, value, ...
};

struct Document {
  Node root;
  std::vector<Problem> problems;  ///< Not empty: the root is incomplete.
};

/// Limits: kTextBytesMax, depth kDepthMax, one document, no anchors, aliases or tags, UTF-8 without NUL.
[[nodiscard]] Document parse_document(std::string_view text);

inline constexpr std::size_t kTextBytesMax = std::size_t{1} << 20U;
inline constexpr std::size_t kDepthMax = 8;
/// Of a list of maps.
inline constexpr std::size_t kRowsMax = 256;

/// `${NAME}` and `${NAME:-default}`; `$${` stands for a literal `${`.
[[nodiscard]] Result<std::string> expand_environment(std::string_view text, const Environment& env);

/// The candidate that is a slip of the keyboard away, or "".
[[nodiscard]] std::string find_nearest(std::string_view word, const std::vector<std::string>& candidates);

/// A YAML scalar that reads back as exactly `text`: plain when that is safe, else between double quotes.
[[nodiscard]] std::string render_scalar(std::string_view text);

/// For showing: passwords inside connection strings and URLs are replaced by `<secret>`.
[[nodiscard]] std::string mask_passwords(std::string text);

}  // namespace sensus::config
