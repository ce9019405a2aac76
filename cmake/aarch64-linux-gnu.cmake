# SPDX-License-Identifier: Apache-2.0
# Cross build for ARM on Debian (g++-aarch64-linux-gnu), run under qemu-aarch64. The libraries of which only headers are
# used come from the host's packages; zlib, which lanewise::data and with it the program need, from arm64's, unpacked into
# build/neon-zlib by `./run test neon`. Without it: -DLANEWISE_CLI=OFF -DLANEWISE_DATA=OFF.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
if(NOT CMAKE_CXX_COMPILER)
  set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
endif()
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu)

# Only this of /usr/include may be seen: the rest of it is the host's C library. (CMake takes /usr/include
# itself for a directory that the compiler searches anyway, and drops it.)
set(headers "${CMAKE_CURRENT_LIST_DIR}/../build/neon-headers")
file(MAKE_DIRECTORY "${headers}")
foreach(name CLI doctest fmt hwy nlohmann xxh3.h xxhash.h)
  file(CREATE_LINK "/usr/include/${name}" "${headers}/${name}" SYMBOLIC)
endforeach()
set(CMAKE_CXX_STANDARD_INCLUDE_DIRECTORIES "${headers}")

# Package descriptions that CMake would look for under the target's architecture.
file(GLOB fmt_DIR /usr/lib/*/cmake/fmt)
file(GLOB CLI11_DIR /usr/lib/*/cmake/CLI11)

set(ZLIB_ROOT "${CMAKE_CURRENT_LIST_DIR}/../build/neon-zlib/usr")
