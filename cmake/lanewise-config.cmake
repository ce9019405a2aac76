# SPDX-License-Identifier: Apache-2.0
# find_package(lanewise): the target lanewise::lanewise. find_package(lanewise COMPONENTS data): lanewise::data too, the
# data set readers, which need zlib.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include("${CMAKE_CURRENT_LIST_DIR}/lanewise-targets.cmake")

foreach(component IN LISTS lanewise_FIND_COMPONENTS)
  set(lanewise_${component}_FOUND FALSE)
  if(component STREQUAL "data" AND EXISTS "${CMAKE_CURRENT_LIST_DIR}/lanewise-data-targets.cmake")
    find_dependency(ZLIB)
    include("${CMAKE_CURRENT_LIST_DIR}/lanewise-data-targets.cmake")
    set(lanewise_data_FOUND TRUE)
  elseif(lanewise_FIND_REQUIRED_${component})
    set(lanewise_FOUND FALSE)
    set(lanewise_NOT_FOUND_MESSAGE "this lanewise package has no component '${component}'")
  endif()
endforeach()
