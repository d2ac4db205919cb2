# With CAPE_UNITY the sources of a target are compiled as one file: a third of the time, since headers cost more than
# code here. The preset dev builds each file alone, so every file still has to include what it uses.
option(CAPE_UNITY "Compile the sources of each target together" OFF)

# cape_compile_together(NAME...): for targets whose sources do not clash in their anonymous namespaces.
function(cape_compile_together)
  if(CAPE_UNITY)
    set_target_properties(${ARGN} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 0)
    foreach(name ${ARGN})
      # A local name may be that of another file's constant; and GCC 12 sees uninitialized std::variants that are not.
      target_compile_options(${name} PRIVATE -Wno-shadow -Wno-maybe-uninitialized)
    endforeach()
  endif()
endfunction()

# cape_library(NAME SOURCES ... PUBLIC targets... PRIVATE targets...): one target per idea, files listed by name.
function(cape_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
  cape_compile_together(${name})
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
  cape_compile_together(plugin_${name})
endfunction()

# cape_test(NAME SOURCES ... LINKS ... [LABEL unit] [TIMEOUT 60] [SERIAL]): every TEST of it is a test of ctest.
# Target LABEL_tests builds all of a label. Sanitizers, which take labels unit and sim, get five times the seconds.
function(cape_test name)
  cmake_parse_arguments(ARG "SERIAL" "LABEL;TIMEOUT" "SOURCES;LINKS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  if(CAPE_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 5")
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} GTest::gtest GTest::gtest_main GTest::gmock)
  if(NOT TARGET ${ARG_LABEL}_tests)
    add_custom_target(${ARG_LABEL}_tests)
  endif()
  add_dependencies(${ARG_LABEL}_tests ${name})
  set(properties LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
  if(ARG_SERIAL)
    list(APPEND properties RUN_SERIAL ON)
  endif()
  if(CAPE_SANITIZE STREQUAL "thread")
    list(APPEND properties ENVIRONMENT "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp")
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
endfunction()
