# With CAPE_PCH the standard headers that nearly every file reads are compiled once. The presets dev and asan build
# without it, so every file still has to include what it uses.
option(CAPE_PCH "Compile the common standard headers once" OFF)
if(CAPE_PCH)
  set(CAPE_COMMON_HEADERS <algorithm> <atomic> <chrono> <cstdint> <deque> <expected> <filesystem> <functional> <map>
    <memory> <optional> <span> <string> <string_view> <unordered_map> <utility> <variant> <vector> <fmt/format.h>)
endif()

# cape_common_headers(NAME): library NAME reads them compiled, once for all libraries.
function(cape_common_headers name)
  if(NOT CAPE_PCH)
    return()
  endif()
  if(NOT TARGET cape_common)
    file(WRITE ${CMAKE_BINARY_DIR}/cape_common.cpp "")
    add_library(cape_common STATIC EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/cape_common.cpp)
    target_link_libraries(cape_common PRIVATE fmt::fmt)
    target_precompile_headers(cape_common PRIVATE ${CAPE_COMMON_HEADERS})
  endif()
  target_precompile_headers(${name} REUSE_FROM cape_common)
endfunction()

# cape_library(NAME SOURCES ... PUBLIC targets... PRIVATE targets...): one target per idea, files listed by name.
function(cape_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  cape_common_headers(${name})
endfunction()

# cape_plugin(NAME SOURCES ... PRIVATE ...): a plugin of ours, plugins/NAME.so in the build tree.
function(cape_plugin name)
  cmake_parse_arguments(ARG "" "DIRECTORY" "SOURCES;PRIVATE" ${ARGN})
  if(NOT ARG_DIRECTORY)
    set(ARG_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
  endif()
  add_library(plugin_${name} MODULE ${ARG_SOURCES})
  set_target_properties(plugin_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name} CXX_STANDARD 17
    LIBRARY_OUTPUT_DIRECTORY ${ARG_DIRECTORY})
  target_link_libraries(plugin_${name} PRIVATE cape_plugin_api ${ARG_PRIVATE})
endfunction()

# cape_test(NAME SOURCES ... LINKS ... [LABEL unit] [TIMEOUT 60] [SERIAL]): every TEST of it is a test of ctest.
function(cape_test name)
  cmake_parse_arguments(ARG "SERIAL" "LABEL;TIMEOUT" "SOURCES;LINKS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} GTest::gtest GTest::gtest_main GTest::gmock)
  set(properties LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
  if(ARG_SERIAL)
    list(APPEND properties RUN_SERIAL ON)
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
endfunction()
