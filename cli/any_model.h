// SPDX-License-Identifier: Apache-2.0
//
// A model of the type that its file has, and what commands ask of any model.

#pragma once

#include <string>
#include <variant>

#include "lanewise/model_file.h"
#include "lanewise/status.h"

namespace lanewise::cli {

using AnyModel = std::variant<Model<float>, Model<double>>;

// As float where that loses nothing, as double otherwise.
Result<AnyModel> LoadAnyModel(const std::string& path);

// Whether the model tells classes apart (else its outputs are numbers): it has class names, or ends in a softmax.
template <typename T>
bool IsClassifier(const Model<T>& model) {
  const Activation last = model.network.layers().back().activation;
  return !model.class_names.empty() || last == Activation::kSoftmax || last == Activation::kLogSoftmax;
}

// The name of a class, or its number.
template <typename T>
std::string ClassName(const Model<T>& model, std::size_t number) {
  return model.class_names.empty() ? std::to_string(number) : model.class_names[number];
}

}  // namespace lanewise::cli
