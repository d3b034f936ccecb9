#include "sensus/llm/ollama.hpp"

namespace sensus::llm {

bool Breaker::try_acquire(std::chrono::steady_clock::time_point now) {
  if (!open_) {
    return true;
  }
  if (probing_ || now - opened_at_ < pause_) {
    return false;
  }
  probing_ = true;
  return true;
}

void Breaker::on_success() {
  failures_ = 0;
  open_ = false;
  probing_ = false;
}

void Breaker::on_failure(std::chrono::steady_clock::time_point now) {
  ++failures_;
  if (probing_ || (!open_ && failures_ >= failures_max_)) {
    open_ = true;
    opened_at_ = now;
  }
  probing_ = false;
}

Breaker::State Breaker::state(std::chrono::steady_clock::time_point now) const {
  if (!open_) {
    return State::closed;
  }
  return probing_ || now - opened_at_ >= pause_ ? State::half_open : State::open;
}

}  // namespace sensus::llm
