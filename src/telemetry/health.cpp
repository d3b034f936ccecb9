#include "sensus/telemetry/health.hpp"

#include <utility>

namespace sensus::telemetry {

void Health::add(std::string name, bool required, std::function<HealthReport()> probe) {
  probes_.push_back(Probe{std::move(name), required, std::move(probe)});
}

std::vector<Health::Check> Health::check() const {
  std::vector<Check> checks;
  checks.reserve(probes_.size());
  for (const Probe& probe : probes_) {
    checks.push_back(Check{probe.name, probe.required, probe.run()});
  }
  return checks;
}

}  // namespace sensus::telemetry
