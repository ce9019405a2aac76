// SPDX-License-Identifier: Apache-2.0
//
// The cells; declared in grid.h.

#include "grid.h"

#include "fmt/format.h"

namespace lanewise::peers {

namespace {

struct Layer {
  std::ptrdiff_t outputs, inputs;
};

constexpr Layer kLayers[] = {{10, 128}, {30, 784}, {128, 784}, {512, 784}, {512, 512}, {1024, 1024}, {4096, 1024}};
constexpr std::ptrdiff_t kBatches[] = {1, 2, 4, 8, 16, 32, 64, 128, 512};
constexpr std::ptrdiff_t kTrainingBatches[] = {32, 128};

void AddType(ElementType type, bool quick, std::vector<Cell>& cells) {
  for (const std::ptrdiff_t size : {64, 100, 128, 256, 512, 1024, 2048}) {
    if (!quick || size <= 1024) cells.push_back({Use::kSquare, type, size, size, size});
  }
  for (const Use use : {Use::kDense, Use::kSigmoid}) {
    for (const Layer layer : kLayers) {
      for (const std::ptrdiff_t batch : kBatches) {
        const bool some = use == Use::kDense ? batch <= 128 : batch == 1 || batch == 32;
        if (!quick || some) cells.push_back({use, type, batch, layer.outputs, layer.inputs});
      }
    }
  }
  for (const Layer layer : kLayers) {
    for (const std::ptrdiff_t batch : kTrainingBatches) {
      if (quick && batch != kTrainingBatches[0]) continue;
      cells.push_back({Use::kWeights, type, layer.inputs, layer.outputs, batch});
      cells.push_back({Use::kInputs, type, batch, layer.inputs, layer.outputs});
    }
  }
  cells.push_back({Use::kWork, type, 1000, 20, 10});
  cells.push_back({Use::kWork, type, 1000, 5, 20});
  if (!quick) cells.push_back({Use::kWork, type, 50000, 25, 400});
  for (const std::ptrdiff_t size : {8, 16, 32}) cells.push_back({Use::kCall, type, size, size, size});
}

}  // namespace

const char* Name(Use use) {
  switch (use) {
    case Use::kSquare:
      return "square";
    case Use::kDense:
      return "dense";
    case Use::kSigmoid:
      return "sigmoid";
    case Use::kWeights:
      return "dW";
    case Use::kInputs:
      return "dX";
    case Use::kWork:
      return "work";
    case Use::kCall:
      return "call";
  }
  return "";
}

std::string Cell::Name() const {
  return fmt::format("{}/{}/{}x{}x{}", peers::Name(use), type == ElementType::kF32 ? "f32" : "f64", m, n, k);
}

std::vector<Cell> Grid(bool quick) {
  std::vector<Cell> cells;
  AddType(ElementType::kF32, quick, cells);
  if (!quick) AddType(ElementType::kF64, quick, cells);
  return cells;
}

}  // namespace lanewise::peers
