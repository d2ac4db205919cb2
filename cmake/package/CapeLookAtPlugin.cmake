# READELF, PLUGIN: warns of what a host would set aside the file for. The host itself looks closer.
execute_process(COMMAND ${READELF} --wide -d -n --dyn-syms ${PLUGIN} OUTPUT_VARIABLE found ERROR_VARIABLE trouble
  RESULT_VARIABLE failed)
if(failed)
  message(WARNING "${PLUGIN}: ${READELF} cannot read it: ${trouble}")
  return()
endif()

if(NOT found MATCHES " cape_entry_v[0-9]+")
  message(WARNING "${PLUGIN} exports no cape_entry_v1: use CAPE_LAMBDA or CAPE_SOURCE once, at file scope, or define "
    "the entry of cape/plugin.h")
endif()
if(NOT found MATCHES "[\n ]CAPE[ \t]+0x")
  message(WARNING "${PLUGIN} has no manifest: use CAPE_LAMBDA, CAPE_SOURCE or CAPE_MANIFEST once, and do not strip "
    "the section .note.cape")
endif()

# A plugin's root directory is empty: what it needs beyond the runtime has to come inside, as a static library.
# An open bracket in an element would keep a CMake list together.
string(REGEX REPLACE "[][]" "'" found "${found}")
string(REGEX MATCHALL "Shared library: '[^']+" needed "${found}")
foreach(line ${needed})
  string(REGEX REPLACE ".*'" "" name "${line}")
  if(NOT name MATCHES "^(libstdc\\+\\+|libgcc_s|libm|libdl|libpthread|librt|libc|ld-linux.*)\\.so")
    message(WARNING "${PLUGIN} needs ${name}, which is not there where plugins run: link it statically")
  endif()
endforeach()
