// SPDX-License-Identifier: Apache-2.0

#include "picture.h"

#include <algorithm>
#include <clocale>
#include <cstring>

#include <langinfo.h>

namespace lanewise::cli {
namespace {

// From dark to bright.
using Shades = std::vector<std::string>;

const Shades& TerminalShades() {
  static const Shades kBlocks = {" ", "░", "▒", "▓", "█"};
  static const Shades kAscii = {" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"};
  static const bool kUtf8 = std::setlocale(LC_CTYPE, "") != nullptr && std::strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
  return kUtf8 ? kBlocks : kAscii;
}

}  // namespace

std::vector<std::string> DrawPicture(const std::uint8_t* pixels, std::ptrdiff_t rows, std::ptrdiff_t cols) {
  constexpr std::ptrdiff_t kWidest = 32;
  const Shades& shades = TerminalShades();
  const std::ptrdiff_t width = std::min(cols, kWidest);
  const std::ptrdiff_t height = std::max<std::ptrdiff_t>(rows * width / (2 * cols), 1);
  std::vector<std::string> lines(static_cast<std::size_t>(height));
  for (std::ptrdiff_t y = 0; y < height; ++y) {
    for (std::ptrdiff_t x = 0; x < width; ++x) {
      // The pixels [top, bottom) x [left, right) that the character stands for.
      const std::ptrdiff_t top = y * rows / height;
      const std::ptrdiff_t bottom = std::max((y + 1) * rows / height, top + 1);
      const std::ptrdiff_t left = x * cols / width;
      const std::ptrdiff_t right = std::max((x + 1) * cols / width, left + 1);
      std::size_t sum = 0;
      for (std::ptrdiff_t i = top; i < bottom; ++i) {
        for (std::ptrdiff_t j = left; j < right; ++j) sum += pixels[i * cols + j];
      }
      const std::size_t mean = sum / static_cast<std::size_t>((bottom - top) * (right - left));
      lines[static_cast<std::size_t>(y)] += shades[mean * shades.size() / 256];
    }
  }
  return lines;
}

}  // namespace lanewise::cli
