# cape_add_go_plugin(NAME DIR): builds the plugin NAME.so of the Go package and the C files in DIR, as a c-shared library.
# Go 1.18 or later (Debian's package golang-go), named by CAPE_GO if it is not the one on PATH, and a C compiler. What Go
# has compiled is kept in the build directory; no module is fetched.
#
# The library lies where a target's library would: in CMAKE_LIBRARY_OUTPUT_DIRECTORY, else in the build directory.
find_program(CAPE_GO NAMES go DOC "The Go tool, for cape_add_go_plugin")

function(cape_add_go_plugin name dir)
  if(NOT CAPE_GO)
    message(FATAL_ERROR "cape_add_go_plugin needs go: install Debian's package golang-go, or set CAPE_GO to its path")
  endif()
  get_filename_component(package "${dir}" ABSOLUTE)
  file(GLOB sources CONFIGURE_DEPENDS "${package}/*.go" "${package}/*.c" "${package}/*.h" "${package}/go.mod")
  set(out "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}")
  if(NOT out)
    set(out "${CMAKE_CURRENT_BINARY_DIR}")
  endif()
  set(environment GOCACHE=${CMAKE_BINARY_DIR}/cape-go/cache GOPATH=${CMAKE_BINARY_DIR}/cape-go/path GOPROXY=off GOFLAGS=
    CGO_ENABLED=1 "CGO_CFLAGS=-O2 -I${CAPE_INCLUDE_DIR}")
  if(CMAKE_C_COMPILER)
    list(APPEND environment CC=${CMAKE_C_COMPILER})
  endif()
  # Besides the entry cgo exports what Go exports to C: plugin.map hides it.
  set(linking "-Wl,--version-script=${CAPE_PLUGIN_MAP} -Wl,-z,relro,-z,now")
  set(library "${out}/${name}.so")
  add_custom_command(OUTPUT "${library}" VERBATIM COMMENT "Building Go plugin ${name}.so"
    COMMAND ${CMAKE_COMMAND} -E env ${environment} ${CAPE_GO} build -trimpath -buildvcs=false -buildmode=c-shared
            -ldflags "-s -extldflags '${linking}'" -o "${library}" .
    WORKING_DIRECTORY "${package}" DEPENDS ${sources} "${CAPE_PLUGIN_MAP}")
  add_custom_target(${name} ALL DEPENDS "${library}")
  set_property(TARGET ${name} PROPERTY CAPE_PLUGIN_FILE "${library}")
endfunction()
