// SPDX-License-Identifier: Apache-2.0
//
// A data set that needs no file: drawn digits.

#pragma once

#include <cstddef>
#include <cstdint>

#include "lanewise/dataset.h"
#include "lanewise/status.h"

namespace lanewise {

// `count` images of 28 x 28 bytes (white strokes on black), ten classes named "0" to "9": each a digit's strokes under
// a random rotation, shear, scale, shift, bend and stroke width, with noise. Sample i depends on (seed, split, i)
// alone, so a longer data set begins with a shorter one, and is the same bytes on every platform; training and test
// samples come from different streams. kInvalidArgument unless 1 <= count < 2^32; kOutOfMemory.
Result<Dataset> GenerateDigits(std::ptrdiff_t count, std::uint64_t seed, Split split);

}  // namespace lanewise
