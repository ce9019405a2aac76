# SPDX-License-Identifier: Apache-2.0
# What every target of ours is compiled with. No instruction-set flag and no fast-math appears here or anywhere: files are
# compiled for the ABI's baseline, and kernels get their instruction sets from attributes on their own functions.

function(lanewise_compile_options target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON
                                             CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  # Only an explicit fma fuses a multiplication with an addition; the bits of results depend on it.
  target_compile_options(${target} PRIVATE -ffp-contract=off)
  # A project that adds this one as a folder may have no build type; kernels without optimisation serve nobody.
  target_compile_options(${target} PRIVATE $<$<STREQUAL:$<CONFIG>,>:-O2>)
  if(LANEWISE_WERROR)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow -Werror)
  endif()
endfunction()

# One floor of the library: an OBJECT target that sees the headers of its own folder and of the floors below, no others.
function(lanewise_floor target)
  cmake_parse_arguments(ARG "" "" "SOURCES;FOLDERS" ${ARGN})
  add_library(${target} OBJECT ${ARG_SOURCES})
  lanewise_compile_options(${target})
  foreach(folder IN LISTS ARG_FOLDERS)
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/${folder}")
  endforeach()
endfunction()

# Those who link `target` in the build tree see these headers and none of the internal ones beside them in the sources:
# as after installation, <lanewise/...> is a folder of its own, here of links.
function(lanewise_public_headers target)
  set(include "${PROJECT_BINARY_DIR}/include/${target}")
  file(REMOVE_RECURSE "${include}")  # links to headers that are gone
  foreach(header IN LISTS ARGN)
    file(RELATIVE_PATH name "${PROJECT_SOURCE_DIR}" "${header}")
    string(REGEX REPLACE "^[a-z]+/(.*)" "\\1" name "${name}")  # without kernels/, dispatch/ or lib/
    cmake_path(GET name PARENT_PATH folder)
    file(MAKE_DIRECTORY "${include}/${folder}")
    file(CREATE_LINK "${header}" "${include}/${name}" SYMBOLIC)
  endforeach()
  # Instead of the file set's base directories.
  set_property(TARGET ${target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES "$<BUILD_INTERFACE:${include}>")
endfunction()
