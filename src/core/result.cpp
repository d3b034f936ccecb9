#include "sensus/core/result.hpp"

#include <stdexcept>

namespace sensus {

void throw_exception_from_error(const Error& error, const boost::source_location& /*where*/) {
  throw std::runtime_error(std::string(to_string(error.code)) + ": " + error.message);
}

}  // namespace sensus
