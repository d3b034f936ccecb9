#include "sensus/core/secret.hpp"

#include <ostream>

namespace sensus {

std::ostream& operator<<(std::ostream& out, const Secret& secret) {
  return out << (secret.empty() ? "" : "<secret>");
}

}  // namespace sensus
