#pragma once

#include "sensus/model/alert.hpp"
#include "sensus/model/limits.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

namespace sensus::codec {

struct AlertContext {
  Timestamp now;
  const model::InputLimits& limits;
  bool webhook = false;  ///< Alertmanager's form: the alert's own status decides, not its end.
};

/// One alert, whose bytes stand at `base` of the body and are well-formed JSON, as an arrival, or as what goes to the quarantine.
[[nodiscard]] std::variant<model::AlertArrival, model::QuarantinedAlert> read_alert(std::string_view text, std::size_t base,
                                                                                    const std::string& path,
                                                                                    const AlertContext& context);

}  // namespace sensus::codec
