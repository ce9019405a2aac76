// SPDX-License-Identifier: Apache-2.0
//
// The grid: which products are compared.

#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "lanewise/gemm.h"
#include "peer.h"

namespace lanewise::peers {

// What a product is for; decides which operand is transposed, whether B is packed beforehand, and the bias.
enum class Use {
  kSquare,   // plain
  kDense,    // m samples, k inputs, n outputs: weights known beforehand, bias
  kSigmoid,  // the same with a sigmoid
  kWeights,  // a weight gradient X' dZ: m inputs, n outputs, k samples
  kInputs,   // an input gradient dZ W': m samples, n inputs, k outputs
  kWork,     // plain products of other shapes
  kCall,     // so small that the call counts
};

struct Cell {
  Use use;
  ElementType type;
  std::ptrdiff_t m, n, k;

  std::string Name() const;  // "dense/f32/8x512x784"
  // What any way to compute the product reads: both matrices once.
  double bytes() const {
    const auto size = static_cast<double>(type == ElementType::kF32 ? sizeof(float) : sizeof(double));
    return size * static_cast<double>(m * k + k * n);
  }
  double flops() const { return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k); }
};

const char* Name(Use use);

// The whole grid, or of each kind of product enough to see where things stand.
std::vector<Cell> Grid(bool quick);

}  // namespace lanewise::peers
