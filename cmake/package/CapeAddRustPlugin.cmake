# cape_add_rust_plugin(NAME FILE.rs): builds the plugin NAME.so with rustc alone, over the bindings in ${CAPE_RUST_DIR}.
# rustc 1.63 or later (Debian's package rustc), named by CAPE_RUSTC if it is not the one on PATH. Files that FILE.rs
# names with `mod` are found by rustc and watched.
#
# The library lies where a target's library would: in CMAKE_LIBRARY_OUTPUT_DIRECTORY, else in the build directory.
find_program(CAPE_RUSTC NAMES rustc DOC "The Rust compiler, for cape_add_rust_plugin")
set(CAPE_RUST_FLAGS --edition 2021 -C opt-level=2 CACHE STRING "How rustc is called, for cape_add_rust_plugin")

# The bindings as a library, once for a directory.
function(cape_rust_bindings)
  if(TARGET cape_rust_bindings)
    return()
  endif()
  if(NOT CAPE_RUSTC)
    message(FATAL_ERROR "cape_add_rust_plugin needs rustc: install Debian's package rustc, or set CAPE_RUSTC to its path")
  endif()
  set(rlib "${CMAKE_BINARY_DIR}/cape-rust/libcape.rlib")
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/cape-rust")
  add_custom_command(OUTPUT "${rlib}" VERBATIM COMMENT "Building Rust library libcape.rlib"
    COMMAND ${CAPE_RUSTC} ${CAPE_RUST_FLAGS} -D warnings --crate-type rlib --crate-name cape -o "${rlib}" "${CAPE_RUST_DIR}/cape.rs"
    DEPENDS "${CAPE_RUST_DIR}/cape.rs")
  add_custom_target(cape_rust_bindings DEPENDS "${rlib}")
  set_property(TARGET cape_rust_bindings PROPERTY CAPE_RLIB "${rlib}")
endfunction()

function(cape_add_rust_plugin name file)
  cape_rust_bindings()
  get_property(rlib TARGET cape_rust_bindings PROPERTY CAPE_RLIB)
  get_filename_component(source "${file}" ABSOLUTE)
  set(dir "${CMAKE_LIBRARY_OUTPUT_DIRECTORY}")
  if(NOT dir)
    set(dir "${CMAKE_CURRENT_BINARY_DIR}")
  endif()
  file(MAKE_DIRECTORY "${dir}")
  set(library "${dir}/${name}.so")
  # BIND_NOW and RELRO are rustc's own default; a cdylib exports its #[no_mangle] names alone.
  add_custom_command(OUTPUT "${library}" VERBATIM COMMENT "Building Rust plugin ${name}.so"
    COMMAND ${CAPE_RUSTC} ${CAPE_RUST_FLAGS} -C strip=symbols --crate-type cdylib --crate-name ${name}
            --extern cape=${rlib} --emit link=${library} --emit dep-info=${library}.d "${source}"
    COMMAND sed -i -n "1s|^[^:]*:|${library}:|p" "${library}.d" # rustc names the .d file itself, or another one, first
    DEPENDS "${source}" "${rlib}" cape_rust_bindings DEPFILE "${library}.d")
  add_custom_target(${name} ALL DEPENDS "${library}")
  set_property(TARGET ${name} PROPERTY CAPE_PLUGIN_FILE "${library}")
endfunction()

# cape_add_rust_test(NAME FILE.rs): builds the program NAME of the #[test] functions of a plugin's file.
function(cape_add_rust_test name file)
  cape_rust_bindings()
  get_property(rlib TARGET cape_rust_bindings PROPERTY CAPE_RLIB)
  get_filename_component(source "${file}" ABSOLUTE)
  set(program "${CMAKE_CURRENT_BINARY_DIR}/${name}")
  add_custom_command(OUTPUT "${program}" VERBATIM COMMENT "Building Rust tests ${name}"
    COMMAND ${CAPE_RUSTC} ${CAPE_RUST_FLAGS} --test --crate-name ${name} --extern cape=${rlib}
            --emit link=${program} --emit dep-info=${program}.d "${source}"
    COMMAND sed -i -n "1s|^[^:]*:|${program}:|p" "${program}.d" # rustc names the .d file itself, or another one, first
    DEPENDS "${source}" "${rlib}" cape_rust_bindings DEPFILE "${program}.d")
  add_custom_target(${name} ALL DEPENDS "${program}")
endfunction()
