#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Uses the library as others will. Arguments: source directory, build directory, C++ compiler, and
#   installed   installs the build and uses it by find_package and by pkg-config (linked statically, with no further -l)
#   subproject  builds the sources as a folder of another project

set -euo pipefail
source_dir=$1 build_dir=$2 cxx=$3 mode=$4

work=$build_dir/$mode-test
rm -rf "$work"
prefix=$work/prefix

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# A model made by hand: y = x0 + x1 + 0.5. The header's length, the header, 1, 1 and 0.5.
model=$work/sum.safetensors
header='{"__metadata__":{"lanewise.activations":"identity"},'
header+='"layers.0.weight":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},'
header+='"layers.0.bias":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}'
while ((${#header} % 8)); do header+=' '; done
mkdir -p "$work"
{
  printf "\\x$(printf %02x $((${#header} & 255)))\\x$(printf %02x $((${#header} >> 8)))\\0\\0\\0\\0\\0\\0"
  printf '%s' "$header"
  printf '\0\0\x80\x3f\0\0\x80\x3f\0\0\0\x3f'
} >"$model"

# Runs the examples in a folder.
run_examples() {
  local said
  said=$("$1/dense_layer" portable) || fail "$1/dense_layer does not run"
  [[ $said == "portable: "*": 0 0 3.0625 290.938" ]] || fail "$1/dense_layer says '$said'"
  said=$("$1/predict" "$model" <<<"1 2   30 40") || fail "$1/predict does not run"
  [[ $said == $'3.5\n70.5' ]] || fail "$1/predict says '$said'"
}

# use NAME OPTION...: configures and builds the examples as a project of their own, and runs them.
use() {
  local dir=$work/$1
  shift
  cmake -S "$source_dir/examples" -B "$dir" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON \
    "$@" >"$dir.log" 2>&1 && cmake --build "$dir" >>"$dir.log" 2>&1 || { cat "$dir.log"; fail "building in $dir"; }
  run_examples "$dir"
  # Nothing that the library is compiled with reaches those who use it.
  if grep '"command"' "$dir/compile_commands.json" | grep "$source_dir/examples" |
    grep -oE ' -(m[a-z]|march|ffp|ffast|W|O)[^ ]*'; then
    fail "$dir: a compile flag is exported"
  fi
}

if [[ $mode == subproject ]]; then
  # Without optimisation: it is the building that is tested, and the library compiles in half the time.
  use subproject -DLANEWISE_SOURCE_DIR="$source_dir" -DLANEWISE_DATA=OFF -DCMAKE_BUILD_TYPE=None
  echo "add_subdirectory works"
  exit
fi

cmake --install "$build_dir" --prefix "$prefix" >"$work.log" || { cat "$work.log"; fail "cmake --install"; }
[[ $(LANEWISE_ISA=portable "$prefix"/bin/lanewise version) == lanewise* ]] || fail "the installed program does not run"
if grep -rnE '#include ["<](hwy|fmt|nlohmann|zlib)' "$prefix/include"; then
  fail "a public header includes a library's header"
fi

for document in $(grep -rhoE 'share/doc/lanewise/[a-z]+\.md' "$prefix/include" | sort -u); do
  [[ -s $prefix/$document ]] || fail "a public header names $document, which is not installed"
done

use find_package -DCMAKE_PREFIX_PATH="$prefix"
# refuses ARGUMENTS TEXT: find_package(lanewise ARGUMENTS REQUIRED) fails and says TEXT.
refuses() {
  local dir=$work/refuses
  mkdir -p "$dir"
  printf 'cmake_minimum_required(VERSION 3.25)\nproject(p LANGUAGES CXX)\nfind_package(lanewise %s REQUIRED)\n' "$1" \
    >"$dir/CMakeLists.txt"
  if cmake -S "$dir" -B "$dir/build" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_PREFIX_PATH="$prefix" \
    >"$dir.log" 2>&1; then
    fail "find_package(lanewise $1) succeeds"
  fi
  tr -s ' \n' ' ' <"$dir.log" | grep -F "$2" >/dev/null || { cat "$dir.log"; fail "find_package(lanewise $1) does not say '$2'"; }
}
refuses 99 "compatible with requested version"
refuses "COMPONENTS nonsense" "has no component 'nonsense'"

mkdir "$work/pkg-config"
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name lanewise.pc)")
for example in "$source_dir"/examples/*.cc; do
  # shellcheck disable=SC2046  # the flags are words
  "$cxx" -std=c++20 -static "$example" $(pkg-config --cflags --libs --static lanewise) \
    -o "$work/pkg-config/$(basename "$example" .cc)"
done
run_examples "$work/pkg-config"

# The data set readers: a component with a dependency of its own.
mkdir "$work/data"
cat >"$work/data/digits.cc" <<'TEXT'
#include "lanewise/data/digits.h"
#include "lanewise/data/read.h"
int main() {
  const auto digits = lanewise::GenerateDigits(7, 1, lanewise::Split::kTest);
  return digits.ok() && digits->samples == 7 && !lanewise::ReadData("", lanewise::Split::kTest).ok() ? 0 : 1;
}
TEXT
cat >"$work/data/CMakeLists.txt" <<'TEXT'
cmake_minimum_required(VERSION 3.25)
project(data LANGUAGES CXX)
find_package(lanewise REQUIRED COMPONENTS data)
add_executable(digits digits.cc)
target_link_libraries(digits PRIVATE lanewise::data)
TEXT
cmake -S "$work/data" -B "$work/data/build" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_PREFIX_PATH="$prefix" \
  >"$work/data.log" && cmake --build "$work/data/build" >>"$work/data.log" || { cat "$work/data.log"; fail "data"; }
"$work/data/build/digits" || fail "lanewise::data by find_package"
# shellcheck disable=SC2046
"$cxx" -std=c++20 -static "$work/data/digits.cc" $(pkg-config --cflags --libs --static lanewise-data) \
  -o "$work/pkg-config/digits"
"$work/pkg-config/digits" || fail "lanewise::data by pkg-config"

echo "find_package and pkg-config work"
