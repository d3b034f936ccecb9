#include "sensus/core/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace sensus {

void assertion_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "sensus: bug: assertion failed: %s at %s:%d\n", expression, file, line);
  std::abort();
}

}  // namespace sensus
