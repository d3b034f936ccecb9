#pragma once

#include "sensus/model/metadata.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace sensus::codec {

/// Gathers the TYPE, HELP and UNIT lines of a page, which stand together for each family, in any
/// order. What is malformed is counted and passed over: metadata never refuses samples.
class FamilyComments {
 public:
  explicit FamilyComments(model::MetadataBatch& out) : out_(out) {}

  /// A comment's line behind its '#'. Anything but TYPE, HELP and UNIT is free text.
  void read(std::string_view line);
  /// After the last line.
  void finish();
  [[nodiscard]] std::size_t refused() const { return refused_; }

 private:
  /// Begins the family unless it is the one at hand. It points into the page.
  void turn_to(std::string_view family);

  model::MetadataBatch& out_;
  model::MetadataBatch::View family_;
  std::string help_;
  bool open_ = false;
  std::size_t refused_ = 0;
};

}  // namespace sensus::codec
