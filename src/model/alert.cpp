#include "sensus/model/alert.hpp"

namespace sensus::model {

std::string_view to_string(AlertStatus status) { return status == AlertStatus::firing ? "firing" : "resolved"; }

}  // namespace sensus::model
