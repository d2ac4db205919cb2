# cape_add_plugin(NAME SOURCE...): builds the plugin NAME.so from C99 or C++17 sources.
#
# It exports its entry alone, so that nothing in it can shadow a symbol of the process it is loaded into, and is linked
# with --no-undefined, so that a missing library is an error here and not on the day it is dropped in. After the link a
# look at the file warns of what a host would set aside.
set(CAPE_PACKAGE_DIR "${CMAKE_CURRENT_LIST_DIR}")

function(cape_add_plugin name)
  if(NOT ARGN)
    message(FATAL_ERROR "cape_add_plugin(${name}): no source files; name at least one")
  endif()
  add_library(${name} MODULE ${ARGN})
  set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX .so POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS "${CAPE_PACKAGE_DIR}/plugin.map")
  if(NOT CMAKE_C_STANDARD)
    set_property(TARGET ${name} PROPERTY C_STANDARD 99)
  endif()
  if(NOT CMAKE_CXX_STANDARD)
    set_property(TARGET ${name} PROPERTY CXX_STANDARD 17)
  endif()
  target_link_libraries(${name} PRIVATE Cape::plugin_api)
  target_link_options(${name} PRIVATE "LINKER:--version-script=${CAPE_PACKAGE_DIR}/plugin.map"
    LINKER:--no-undefined LINKER:-z,relro LINKER:-z,now)
  if(CMAKE_READELF)
    add_custom_command(TARGET ${name} POST_BUILD VERBATIM
      COMMAND ${CMAKE_COMMAND} -DREADELF=${CMAKE_READELF} -DPLUGIN=$<TARGET_FILE:${name}>
              -P "${CAPE_PACKAGE_DIR}/CapeLookAtPlugin.cmake")
  endif()
endfunction()
