# Three precompiled headers, shared by REUSE_FROM. Code compiles without them (SENSUS_PCH=OFF).
function(sensus_pch_holder NAME)
  file(WRITE ${CMAKE_BINARY_DIR}/pch/${NAME}.cpp "namespace {}\n")
  add_library(${NAME} OBJECT ${CMAKE_BINARY_DIR}/pch/${NAME}.cpp)
  target_link_libraries(${NAME} PRIVATE sensus::flags)
  target_precompile_headers(${NAME} PRIVATE ${ARGN})
endfunction()

set(SENSUS_STD_HEADERS <algorithm> <array> <chrono> <cstdint> <functional> <map> <memory> <optional>
    <span> <string> <string_view> <unordered_map> <utility> <variant> <vector>
    <boost/system/result.hpp>)
set(SENSUS_ASIO_HEADERS <boost/asio/any_completion_handler.hpp> <boost/asio/any_io_executor.hpp>
    <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/io_context.hpp>
    <boost/asio/steady_timer.hpp> <boost/asio/use_awaitable.hpp>)
if(SENSUS_PCH)
  sensus_pch_holder(pch_std ${SENSUS_STD_HEADERS})
  sensus_pch_holder(pch_asio ${SENSUS_STD_HEADERS} ${SENSUS_ASIO_HEADERS})
  if(SENSUS_TESTS)
    # The definitions must be those of the tests, or the compiler refuses the header.
    sensus_pch_holder(pch_gtest ${SENSUS_STD_HEADERS} <gtest/gtest.h>)
    target_link_libraries(pch_gtest PRIVATE GTest::gtest)
    sensus_pch_holder(pch_gtest_asio ${SENSUS_STD_HEADERS} ${SENSUS_ASIO_HEADERS} <gtest/gtest.h>)
    target_link_libraries(pch_gtest_asio PRIVATE GTest::gtest)
  endif()
endif()
