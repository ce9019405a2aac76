# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` installs: the archives with their headers, the descriptions for find_package and pkg-config, the
# documents that the headers name, and the programs. Included after all targets exist.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/lanewise")
# So that the .pc files work wherever the tree is moved to.
file(RELATIVE_PATH prefix_from_pc "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")

# One archive and its headers; PACKAGE names its targets file and its .pc file.
function(lanewise_install_archive target package)
  install(TARGETS ${target} EXPORT ${package}
          ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
          FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  install(EXPORT ${package} NAMESPACE lanewise:: FILE ${package}-targets.cmake DESTINATION "${package_dir}")
  configure_file("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${package}.pc.in" "${PROJECT_BINARY_DIR}/${package}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${package}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endfunction()

lanewise_install_archive(lanewise lanewise)
if(TARGET lanewise_data)
  lanewise_install_archive(lanewise_data lanewise-data)
endif()

write_basic_package_version_file("${PROJECT_BINARY_DIR}/lanewise-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_LIST_DIR}/lanewise-config.cmake" "${PROJECT_BINARY_DIR}/lanewise-config-version.cmake"
        DESTINATION "${package_dir}")

install(FILES "${PROJECT_SOURCE_DIR}/docs/accuracy.md" "${PROJECT_SOURCE_DIR}/docs/numerics.md"
        DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/lanewise")

foreach(program lanewise_cli lanewise-bench)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  endif()
endforeach()
