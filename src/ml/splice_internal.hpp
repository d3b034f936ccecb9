#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace sensus::ml {

/// Puts `with` in place of [begin, end) of `in`, growing its memory by little.
template <class T>
void splice(std::vector<T>& in, std::size_t begin, std::size_t end, std::span<const T> with) {
  const std::size_t size = in.size() - (end - begin) + with.size();
  if (size > in.capacity()) {
    in.reserve(size + size / 16);
  }
  const auto first = in.begin() + static_cast<std::ptrdiff_t>(begin);
  const auto common = static_cast<std::ptrdiff_t>(std::min(end - begin, with.size()));
  std::copy(with.begin(), with.begin() + common, first);
  if (with.size() > end - begin) {
    in.insert(first + common, with.begin() + common, with.end());
  } else {
    in.erase(first + common, in.begin() + static_cast<std::ptrdiff_t>(end));
  }
}

}  // namespace sensus::ml
