// SPDX-License-Identifier: Apache-2.0
//
// IDX, the format of the MNIST family (http://yann.lecun.com/exdb/mnist): two zero bytes, the element type, the number
// of dimensions, each dimension as 32 bits big-endian, then the elements, row-major. Elements here are unsigned bytes,
// the type of all these data sets. A file may be gzipped, whatever its name; "-" is standard input.
//
// Errors of all functions: kIoError for what cannot be opened or read, kBadFile (with file, byte offset and rule) for
// what is wrong in it, kOutOfMemory. Memory grows with the bytes that arrive, not with what a header claims.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lanewise/dataset.h"
#include "lanewise/status.h"

namespace lanewise {

struct IdxArray {
  std::vector<std::ptrdiff_t> shape;  // 1 to 3 dimensions, each at least 1
  std::vector<std::uint8_t> values;
};

Result<IdxArray> ReadIdx(const std::string& path);

// Samples x rows x cols images (or samples x features) and one label per sample; an empty labels_path gives a data set
// without labels. There are as many classes as the largest label + 1.
Result<Dataset> ReadIdxDataset(const std::string& images_path, const std::string& labels_path);

// train-images-idx3-ubyte and train-labels-idx1-ubyte, or t10k-... for Split::kTest; each as it is or with .gz.
Result<Dataset> ReadIdxDirectory(const std::string& folder, Split split);

}  // namespace lanewise
