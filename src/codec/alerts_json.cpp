#include "sensus/codec/alerts_json.hpp"

#include "alert_reader_internal.hpp"
#include "json_scanner_internal.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace sensus::codec {
namespace {

// A body within the size limit could hold millions of `{}`, each of which would become a quarantined row.
constexpr std::size_t kAlertsMax = 10'000;

/// Byte range of one alert within the body.
struct Slice {
  std::size_t begin;
  std::size_t size;
};

/// Undoes Go's regexp.QuoteMeta, which Alertmanager applies to the receiver's name: `team\-x`.
std::string unquote_receiver(std::string_view quoted) {
  std::string out;
  for (std::size_t i = 0; i < quoted.size(); ++i) {
    if (quoted[i] == '\\' && i + 1 < quoted.size()) {
      ++i;
    }
    out.push_back(quoted[i]);
  }
  return out;
}

/// The document around the alerts: checks its shape to the last byte and finds where each alert stands. The alerts themselves
/// are read afterwards, one by one, so that a bad one does not sink the rest.
class EnvelopeReader {
 public:
  explicit EnvelopeReader(std::string_view body) : in_(body) {}

  Result<> read() {
    const char head = in_.peek();
    if (head != '[' && head != '{') {
      return in_.skip_value() ? make_error(Errc::invalid_input, "must be an array of alerts or an Alertmanager webhook object")
                              : in_.error("");
    }
    webhook = head == '{';
    const bool done = (webhook ? read_webhook() : read_slices()) && in_.finish();
    if (error_) {
      return *std::move(error_);
    }
    if (!done) {
      return in_.error("");
    }
    return webhook ? check_webhook() : Result<>{};
  }

  bool webhook = false;
  std::vector<Slice> slices;
  std::string receiver;
  std::uint64_t truncated = 0;

 private:
  bool read_webhook() {
    if (!in_.begin_object()) {
      return false;
    }
    std::string_view key;
    while (in_.next_member(key)) {
      if (!read_member(key)) {
        return false;
      }
    }
    return in_.ok();
  }

  bool read_member(std::string_view key) {
    if (key == "version" && in_.peek() == '"') {
      return once(version_, key) && in_.read_string(version_.emplace());
    }
    if (key == "receiver" && in_.peek() == '"') {
      std::string_view quoted;
      const bool read = in_.read_string(quoted);
      receiver = unquote_receiver(quoted);
      return read;
    }
    if (key == "truncatedAlerts" && in_.peek() >= '0' && in_.peek() <= '9') {
      JsonNumber number;
      const bool read = in_.read_number(number);
      truncated = number.value < 1e18 ? static_cast<std::uint64_t>(number.value) : 0;
      return read;
    }
    if (key == "alerts") {
      return once(alerts_, key) && (in_.peek() == '[' ? read_slices() : wrong_alerts());
    }
    return in_.skip_value();
  }

  bool wrong_alerts() { return in_.skip_value() && fail(Errc::invalid_input, "must be an array", "alerts"); }

  bool read_slices() {
    alerts_ = true;
    if (!in_.begin_array()) {
      return false;
    }
    while (in_.next_element()) {
      if (slices.size() == kAlertsMax) {
        return fail(Errc::too_large, "more than " + std::to_string(kAlertsMax) + " alerts in one body: send them in several", "alerts");
      }
      static_cast<void>(in_.peek());
      const std::size_t begin = in_.offset();
      if (!in_.skip_value()) {
        return false;
      }
      slices.push_back({begin, in_.offset() - begin});
    }
    return in_.ok();
  }

  Result<> check_webhook() {
    if (version_ != "4") {
      return make_error(Errc::invalid_input, version_ ? "is not supported: Alertmanager's webhook version \"4\" is"
                                                      : "is missing: must be \"4\", as in Alertmanager's webhook", "version");
    }
    return alerts_ ? Result<>{} : make_error(Errc::invalid_input, "is missing: must be an array", "alerts");
  }

  template <class T>
  bool once(const std::optional<T>& member, std::string_view key) {
    return !member || fail(Errc::invalid_input, "is given twice", key);
  }
  bool fail(Errc code, std::string message, std::string_view field) {
    error_ = make_error(code, std::move(message), std::string(field));
    return false;
  }

  JsonScanner in_;
  std::optional<std::string_view> version_;
  std::optional<bool> alerts_;
  std::optional<Error> error_;
};

}  // namespace

Result<model::AlertBatch> parse_alerts_json(std::string_view body, Timestamp now, const model::InputLimits& limits) {
  SENSUS_TRY_VOID(check_json_bytes(body));
  EnvelopeReader envelope(body);
  SENSUS_TRY_VOID(envelope.read());
  model::AlertBatch out;
  out.receiver = std::move(envelope.receiver);
  out.truncated_alerts = envelope.truncated;
  out.arrivals.reserve(envelope.slices.size());
  const AlertContext context{now, limits, envelope.webhook};
  for (std::size_t i = 0; i < envelope.slices.size(); ++i) {
    const Slice slice = envelope.slices[i];
    const std::string_view text = body.substr(slice.begin, slice.size);
    const std::string path = (envelope.webhook ? "alerts[" : "[") + std::to_string(i) + "]";
    auto alert = read_alert(text, slice.begin, path, context);
    if (auto* arrival = std::get_if<model::AlertArrival>(&alert)) {
      out.arrivals.push_back(std::move(*arrival));
    } else {
      out.quarantined.push_back(std::get<model::QuarantinedAlert>(std::move(alert)));
    }
  }
  return out;
}

}  // namespace sensus::codec
