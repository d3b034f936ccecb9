#pragma once

#include <string_view>

/// Files of this folder, compiled in by embed_assets.cmake.
namespace sensus::api::assets {

[[nodiscard]] std::string_view docs_html();
[[nodiscard]] std::string_view docs_css();
[[nodiscard]] std::string_view docs_js();
[[nodiscard]] std::string_view components_json();

}  // namespace sensus::api::assets
