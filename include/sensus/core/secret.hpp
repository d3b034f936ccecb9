#pragma once

#include <iosfwd>
#include <string>
#include <utility>

namespace sensus {

/// A string that never reaches a log by accident: printing shows `<secret>`, only `reveal()` gives the text.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Secret& secret);

 private:
  std::string text_;
};

}  // namespace sensus
