// SPDX-License-Identifier: Apache-2.0
//
// Loads a model and predicts:   predict MODEL.safetensors < NUMBERS
// Reads samples as numbers between blanks, as many for each as the network has inputs; prints a line of outputs for
// each.

#include <cstdio>
#include <iostream>
#include <vector>

#include "lanewise/mlp.h"
#include "lanewise/model_file.h"

namespace {

int Fail(const lanewise::Status& status) {
  std::fprintf(stderr, "predict: error: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: predict MODEL.safetensors < NUMBERS\n");
    return 2;
  }
  const lanewise::Result<lanewise::Model<float>> model = lanewise::LoadModel<float>(argv[1]);
  if (!model.ok()) return Fail(model.status());

  // The kernels this CPU gets, one thread; and the weights packed for them, once.
  lanewise::Result<lanewise::Context> context = lanewise::Context::Make();
  if (!context.ok()) return Fail(context.status());
  const lanewise::Result<lanewise::PackedMlp<float>> network =
      lanewise::PackedMlp<float>::Pack(context->kernels(), model->network);
  if (!network.ok()) return Fail(network.status());

  std::vector<float> inputs;
  for (float value; std::cin >> value;) inputs.push_back(value * static_cast<float>(model->input_scale));
  const std::ptrdiff_t samples = static_cast<std::ptrdiff_t>(inputs.size()) / network->inputs();
  std::vector<float> outputs(static_cast<std::size_t>(samples * network->outputs()));

  const lanewise::MatrixView<float> y(outputs.data(), samples, network->outputs());
  const lanewise::Status status = network->Predict(*context, {inputs.data(), samples, network->inputs()}, y);
  if (!status.ok()) return Fail(status);

  for (std::ptrdiff_t i = 0; i < y.rows; ++i) {
    for (std::ptrdiff_t j = 0; j < y.cols; ++j) std::printf("%s%g", j == 0 ? "" : " ", y(i, j));
    std::printf("\n");
  }
}
