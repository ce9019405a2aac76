// SPDX-License-Identifier: Apache-2.0
//
// Models as files: safetensors that Python's `safetensors` and PyTorch read.

#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "lanewise/build_info.h"
#include "lanewise/mlp.h"
#include "lanewise/status.h"

namespace lanewise {

// A network and what one must know to use it. A value type.
template <typename T>
struct Model {
  Mlp<T> network;
  double input_scale = 1;                          // inputs are multiplied by it
  std::vector<std::string> class_names = {};       // one per output (two for a single output), or empty
  std::map<std::string, std::string> recipe = {};  // how it was trained, for people; no time, host, tier or thread
                                                   // count, so that equal training gives equal files
  int numerics_revision = kNumericsRevision;       // that it was made with; 0: the file did not say
};

// Tensors are named as PyTorch's nn.Sequential `layers` counts its modules: layers.0.weight as [outputs, inputs],
// layers.0.bias, and the next layer's number is one more, or two after an activation other than identity. Metadata:
//   lanewise.activations        "relu,softmax", one per layer
//   lanewise.input_scale        a number, as C's %a prints it
//   lanewise.class_names        a JSON array of strings
//   lanewise.recipe             a JSON object of strings
//   lanewise.numerics_revision  "1"
//
// Writes the file wholly or not at all. kInvalidArgument if there are class names but not one per output, a name or
// recipe is not UTF-8, or the scale or a parameter is not finite; kIoError; kOutOfMemory. Parameters are stored as
// they are: F32 or F64, equal bits when read back.
template <typename T>
Status SaveModel(const std::string& path, const Model<T>& model);

// Reads a model; F32 tensors may be loaded as double. kBadFile, naming the file and the rule, for anything that is not
// a model as above (a file without lanewise.activations says what to add); kIoError; kOutOfMemory.
template <typename T>
Result<Model<T>> LoadModel(const std::string& path);

}  // namespace lanewise
