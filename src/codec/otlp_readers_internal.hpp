#pragma once

#include "otlp_translator_internal.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace sensus::codec::otlp {

/// Each reads one ExportMetricsServiceRequest into the translator. **Errors** invalid_input,
/// too_large.
[[nodiscard]] Result<> read_protobuf(std::string_view body, Translator& out);
[[nodiscard]] Result<> read_json(std::string_view body, Translator& out);

/// Appends what an AnyValue message says: text as it is, numbers in their shortest form, bytes as
/// base64, arrays and maps as JSON. False when malformed. Not much more than kAttributeBytesMax
/// bytes are rendered.
[[nodiscard]] bool append_any_value(std::string_view message, std::string& out);

void append_integer(std::int64_t number, std::string& out);
void append_real(double number, std::string& out);

}  // namespace sensus::codec::otlp
