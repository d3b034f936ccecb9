#pragma once

#include <functional>
#include <string>
#include <vector>

namespace sensus::telemetry {

enum class HealthState { ok, degraded, failed };

struct HealthReport {
  HealthState state = HealthState::ok;
  std::string reason;  ///< Empty when ok; else what is wrong and what it means.
};

/// Named probes that modules register. A probe reports what the module already knows; it never waits.
/// **Threading**: register at start; `check` on the reactor.
class Health {
 public:
  struct Check {
    std::string name;
    bool required = false;  ///< Failed + required = not ready; failed + optional = ready but degraded.
    HealthReport report;
  };
  void add(std::string name, bool required, std::function<HealthReport()> probe);
  [[nodiscard]] std::vector<Check> check() const;

 private:
  struct Probe {
    std::string name;
    bool required;
    std::function<HealthReport()> run;
  };
  std::vector<Probe> probes_;
};

}  // namespace sensus::telemetry
