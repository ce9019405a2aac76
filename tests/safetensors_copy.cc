// SPDX-License-Identifier: Apache-2.0
//
// safetensors_copy IN OUT: reads a safetensors file and writes what it read, for safetensors_python_test.sh. Exit code
// 4 where the file is refused.

#include <cstdio>

#include "safetensors.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: safetensors_copy IN OUT\n");
    return 2;
  }
  const lanewise::Result<lanewise::SafetensorsFile> file = lanewise::ReadSafetensors(argv[1]);
  const lanewise::Status status = file.ok() ? lanewise::WriteSafetensors(argv[2], *file) : file.status();
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.message().c_str());
  return 4;
}
