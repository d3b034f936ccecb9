# cmake -DOUT=migrations.cpp -DFILES="0001_a.sql;0002_b.sql" -P embed_migrations.cmake
# Writes the migrations as one source file. Raw strings are cut because compilers limit the length of one literal.
set(entries "")
set(before 0)
foreach(file ${FILES})
  get_filename_component(stem ${file} NAME_WE)
  if(NOT stem MATCHES "^([0-9][0-9][0-9][0-9])_([a-z0-9_]+)$")
    message(FATAL_ERROR "${file}: a migration is named NNNN_name.sql")
  endif()
  set(number ${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_2})
  string(REGEX REPLACE "^0+" "" version ${number})
  if(NOT version GREATER before)
    message(FATAL_ERROR "${file}: version ${version} after ${before}; versions ascend")
  endif()
  set(before ${version})
  file(READ ${file} sql HEX)
  string(LENGTH "${sql}" length)
  set(literal "")
  string(REGEX REPLACE "(..)" "\\\\x\\1" escaped "${sql}")
  # 64 bytes a line.
  string(REGEX REPLACE "((\\\\x..)(\\\\x..)?(\\\\x..)?(\\\\x..)?(\\\\x..)?(\\\\x..)?(\\\\x..)?(\\\\x..)?)" "\"\\1\"\n" literal "${escaped}")
  math(EXPR bytes "${length} / 2")
  string(APPEND entries "      {${version}, \"${name}\", std::string_view(\n${literal}, ${bytes})},\n")
endforeach()
file(WRITE ${OUT}.tmp "// Made by embed_migrations.cmake from src/storage/migrations.
#include \"sensus/storage/maintenance.hpp\"

namespace sensus::storage {

const std::vector<pg::Migration>& migrations() {
  static const std::vector<pg::Migration> all = {
${entries}  };
  return all;
}

}  // namespace sensus::storage
")
file(RENAME ${OUT}.tmp ${OUT})
