// SPDX-License-Identifier: Apache-2.0

#include "any_model.h"

#include <utility>

namespace lanewise::cli {

Result<AnyModel> LoadAnyModel(const std::string& path) {
  if (path == "-") {
    return Status(StatusCode::kInvalidArgument, "a model is read from a file, not from standard input; give its path");
  }
  Result<Model<float>> model = LoadModel<float>(path);
  if (model.ok()) return AnyModel(*std::move(model));
  if (model.status().code() != StatusCode::kBadFile) return model.status();
  Result<Model<double>> in_double = LoadModel<double>(path);
  if (!in_double.ok()) return in_double.status();
  return AnyModel(*std::move(in_double));
}

}  // namespace lanewise::cli
