// SPDX-License-Identifier: Apache-2.0
//
// Golden cases of models: what a network must answer, chosen when its file is made and checked wherever it is used.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "lanewise/context.h"
#include "lanewise/model_file.h"
#include "lanewise/status.h"
#include "lanewise/tier.h"

namespace lanewise {

// Gives the model golden cases: up to 4 (1 for networks of 30,000 inputs and outputs, none for ones of 2 million) drawn
// by Random(1, Stream::kGolden, number of the case), input by input: case c has multiples of 1/8 in [-1, 1], divided by
// 4^c. A case whose outputs are not all finite is left out, and there is none where kernels of both classes were
// chosen. The model counts as made with this library's numerics revision. Equal bits on every tier of a class. Errors:
// those of PackedMlp::Predict.
template <typename T>
Status AddGoldenCases(Context& context, Model<T>& model);

// How a model's golden cases came out.
struct Verification {
  std::optional<NumericClass> numeric_class;  // of the kernels that ran, if all are of one
  bool weights_ok = false;                    // the parameters have the hash that the file states
  // Whether every bit had to agree: the class and the numerics revision are those that made the cases.
  bool exact = false;
  std::ptrdiff_t cases = 0;
  std::int64_t outputs = 0;     // of all cases
  std::int64_t other_bits = 0;  // outputs that differ from the file's
  double largest_share = 0;     // the largest difference, as a share of its bound
  // The worst output: the first that differs if `exact`, else the one with the largest share.
  std::ptrdiff_t worst_case = 0;
  std::ptrdiff_t worst_output = 0;
  double expected = 0;
  double found = 0;
  double bound = 0;  // of |found - expected|, whatever the class and the revision

  bool ok() const { return weights_ok && (exact ? other_bits == 0 : largest_share <= 1); }
};

// Computes the golden cases again and compares. Between classes or revisions each output may differ by the sum of two
// bounds of the rounding error, one for each computation: with u = 2^-24 or 2^-53, a layer of K inputs whose inputs are
// off by at most dx makes pre-activations off by sum |w| (dx + 2 (K + 2) u / (1 - (K + 2) u) |x|), bias included, which
// holds for any order of the sum; its activation multiplies that by at most its greatest slope and adds its own error.
// Errors: kInvalidArgument if the model has no golden cases or they do not fit; those of PackedMlp::Predict.
template <typename T>
Result<Verification> VerifyModel(Context& context, const Model<T>& model);

}  // namespace lanewise
