# cmake -DOUTPUT=assets.cpp -DSOURCE_DIR=... -P embed_assets.cmake: the files as string literals. Runs at build time.
set(assets
  docs_html=docs_page/index.html
  docs_css=docs_page/page.css
  docs_js=docs_page/page.js
  components_json=components.json)
set(text "#include \"assets_internal.hpp\"\n\nnamespace sensus::api::assets {\n\n")
foreach(asset ${assets})
  string(REPLACE "=" ";" parts ${asset})
  list(GET parts 0 name)
  list(GET parts 1 file)
  file(READ ${SOURCE_DIR}/${file} content)
  if(content MATCHES "\\)sensus_asset\"")
    message(FATAL_ERROR "${file} holds the delimiter of its own literal")
  endif()
  string(APPEND text "std::string_view ${name}() {\n  return R\"sensus_asset(${content})sensus_asset\";\n}\n\n")
endforeach()
string(APPEND text "}  // namespace sensus::api::assets\n")
file(WRITE ${OUTPUT} "${text}")
