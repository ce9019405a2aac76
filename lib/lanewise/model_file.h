// SPDX-License-Identifier: Apache-2.0
//
// Models as files: safetensors that Python's `safetensors` and PyTorch read.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lanewise/build_info.h"
#include "lanewise/mlp.h"
#include "lanewise/status.h"
#include "lanewise/tier.h"

namespace lanewise {

// What a network must answer, so that whoever has its file can check his computation (lanewise/verify.h).
template <typename T>
struct GoldenCases {
  NumericClass numeric_class = NumericClass::kFma;  // of the tier that computed the outputs
  // XXH3's 64 bits of the tensors' elements as they lie in the file, in the order below.
  std::uint64_t weights_hash = 0;
  std::vector<T> inputs;   // one case after the other, each as many as the network has, after scaling
  std::vector<T> outputs;  // likewise
};

// A network and what one must know to use it. A value type.
template <typename T>
struct Model {
  Mlp<T> network;
  double input_scale = 1;                          // inputs are multiplied by it
  std::vector<std::string> class_names = {};       // one per output (two for a single output), or empty
  std::map<std::string, std::string> recipe = {};  // how it was trained, for people; no time, host, tier or thread
                                                   // count, so that equal training gives equal files
  int numerics_revision = kNumericsRevision;       // that it was made with; 0: the file did not say
  std::optional<GoldenCases<T>> golden = {};       // AddGoldenCases makes them
};

// Tensors are named as PyTorch's nn.Sequential `layers` counts its modules: layers.0.weight as [outputs, inputs],
// layers.0.bias, and the next layer's number is one more, or two after an activation other than identity. Metadata:
//   lanewise.activations        "relu,softmax", one per layer
//   lanewise.input_scale        a number, as C's %a prints it
//   lanewise.class_names        a JSON array of strings
//   lanewise.recipe             a JSON object of strings, at most 1000
//   lanewise.numerics_revision  "1"
// and where there are golden cases
//   lanewise.golden_class       "fma" or "mul-add"
//   lanewise.golden_inputs      numbers as C's %a prints them, separated by spaces
//   lanewise.golden_outputs     likewise
//   lanewise.weights_hash       16 hexadecimal digits
//
// Writes the file wholly or not at all. kInvalidArgument if there are class names but not one per output, a name or
// recipe is not UTF-8, the recipe has more entries than that, the scale or a parameter is not finite, or the golden
// cases are those of other parameters; kIoError; kOutOfMemory. Parameters are stored as they are: F32 or F64, equal
// bits when read back.
template <typename T>
Status SaveModel(const std::string& path, const Model<T>& model);

// The bytes of the file that SaveModel would write, with its errors.
template <typename T>
Result<std::string> ModelBytes(const Model<T>& model);

// Reads a model, or the one in a checkpoint (lanewise/checkpoint.h); F32 tensors may be loaded as double (without the
// golden cases, whose outputs are those of floats). kBadFile, naming the file, the offset and the rule, for anything
// that is not a model as above (a file without lanewise.activations says what to add); kIoError; kOutOfMemory. Does not
// compute the golden cases.
template <typename T>
Result<Model<T>> LoadModel(const std::string& path);

// GoldenCases::weights_hash of a network. kOutOfMemory.
template <typename T>
Result<std::uint64_t> WeightsHash(const Mlp<T>& network);

}  // namespace lanewise
