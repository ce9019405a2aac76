// SPDX-License-Identifier: Apache-2.0
//
// Small pictures of images in a terminal.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lanewise::cli {

// The lines of a picture of rows x cols grey values: one character for every pixel across and two pixels down
// (characters are about twice as high as wide), larger images shrunk to 32 columns. Shades of the block character where
// the terminal's locale has UTF-8, ASCII otherwise.
std::vector<std::string> DrawPicture(const std::uint8_t* pixels, std::ptrdiff_t rows, std::ptrdiff_t cols);

}  // namespace lanewise::cli
