# What `cmake --install` puts in place beside the binaries: everything somebody needs who builds a plugin or a service.
# The prefix can be moved as a whole: the binaries find each other, and the package files their headers, from where they lie.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Cape)
set(CAPE_RUST_INSTALL_DIR ${CMAKE_INSTALL_DATADIR}/cape/rust)
configure_package_config_file(cmake/package/CapeConfig.cmake.in ${PROJECT_BINARY_DIR}/package/CapeConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_BINDIR CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR
  CAPE_RUST_INSTALL_DIR)
# 0.x promises nothing but its own minor.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/CapeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/package/CapeConfig.cmake ${PROJECT_BINARY_DIR}/package/CapeConfigVersion.cmake
  cmake/package/CapeAddPlugin.cmake cmake/package/CapeAddRustPlugin.cmake cmake/package/CapeAddGoPlugin.cmake cmake/package/CapeLookAtPlugin.cmake plugin_api/plugin.map DESTINATION ${package_dir})

file(RELATIVE_PATH to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" to_prefix ${to_prefix})
foreach(name cape-plugin cape-ping)
  configure_file(cmake/package/${name}.pc.in ${PROJECT_BINARY_DIR}/package/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/package/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

install(TARGETS cape_ping LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES plugin_api/rust/cape.rs DESTINATION ${CAPE_RUST_INSTALL_DIR})
install(DIRECTORY plugins/template/ DESTINATION ${CMAKE_INSTALL_DATADIR}/cape/template)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} FILES_MATCHING PATTERN "*.md" PATTERN "*.py")
