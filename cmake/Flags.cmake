# sensus::flags carries the flags that every target shares, so that precompiled headers can be reused.
add_library(sensus_flags INTERFACE)
add_library(sensus::flags ALIAS sensus_flags)

target_compile_options(sensus_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wduplicated-cond -Wlogical-op -Wimplicit-fallthrough -Wsuggest-override
  -fcoroutines)
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" OR SENSUS_SANITIZE)
  # False alarms of GCC 12 on coroutine frames: the unused arm of a Result, and Asio's frame allocator once inlined.
  target_compile_options(sensus_flags INTERFACE -Wno-maybe-uninitialized -Wno-mismatched-new-delete)
endif()
if(SENSUS_WERROR)
  target_compile_options(sensus_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_LAUNCHER MATCHES ccache)
  target_compile_options(sensus_flags INTERFACE -fpch-preprocess)
endif()
target_compile_definitions(sensus_flags INTERFACE
  _GLIBCXX_ASSERTIONS
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_ARRAY
  BOOST_BEAST_SEPARATE_COMPILATION)
target_include_directories(sensus_flags INTERFACE ${PROJECT_SOURCE_DIR}/include)
target_include_directories(sensus_flags SYSTEM INTERFACE ${Boost_INCLUDE_DIRS})
target_link_libraries(sensus_flags INTERFACE Threads::Threads)

find_program(SENSUS_LLD ld.lld)
if(SENSUS_LLD)
  target_link_options(sensus_flags INTERFACE -fuse-ld=lld)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" OR CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(sensus_flags INTERFACE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  target_link_options(sensus_flags INTERFACE -Wl,-z,relro,-z,now -pie)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()
if(SENSUS_SANITIZE)
  target_compile_options(sensus_flags INTERFACE -fsanitize=${SENSUS_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(sensus_flags INTERFACE -fsanitize=${SENSUS_SANITIZE})
endif()
if(SENSUS_COVERAGE)
  target_compile_options(sensus_flags INTERFACE --coverage -fprofile-update=atomic)
  target_link_options(sensus_flags INTERFACE --coverage)
endif()
