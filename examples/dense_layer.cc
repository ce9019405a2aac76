// SPDX-License-Identifier: Apache-2.0
//
// A dense layer, Y = relu(X * W' + b), in one call: the weights are packed once, bias and activation are applied while
// the results are still in the cache.   dense_layer [REQUEST]   (a request as LANEWISE_ISA takes it: avx2, <=avx2 ...)

#include <cstdio>
#include <string>
#include <vector>

#include "lanewise/gemm.h"

namespace {

int Fail(const lanewise::Status& status) {
  std::fprintf(stderr, "dense_layer: error: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int kBatch = 64, kInputs = 784, kOutputs = 128;

  lanewise::Result<lanewise::Context> context = lanewise::Context::Make(argc > 1 ? argv[1] : "");
  if (!context.ok()) return Fail(context.status());

  std::vector<float> images(kBatch * kInputs, 0.5f);
  std::vector<float> weights(kOutputs * kInputs);  // a row for each output, as PyTorch keeps them
  std::vector<float> bias(kOutputs);
  std::vector<float> result(kBatch * kOutputs);
  for (int i = 0; i < kOutputs; ++i) {
    bias[i] = -98;
    for (int j = 0; j < kInputs; ++j) weights[i * kInputs + j] = static_cast<float>(i) / 128;
  }

  // GEMM wants inputs x outputs: the transpose is a swap of strides and copies nothing.
  using lanewise::MatrixView;
  const MatrixView<const float> by_output(weights.data(), kOutputs, kInputs);
  const lanewise::Result<lanewise::PackedMatrix<float>> packed =
      lanewise::PackedMatrix<float>::Pack(context->kernels(), by_output.Transposed());
  if (!packed.ok()) return Fail(packed.status());

  const lanewise::GemmOptions<float> options{.bias = bias.data(), .activation = lanewise::Activation::kRelu};
  const lanewise::Status status = lanewise::Gemm<float>(*context, {images.data(), kBatch, kInputs}, *packed,
                                                        {result.data(), kBatch, kOutputs}, options);
  if (!status.ok()) return Fail(status);

  // Output j is relu(784 * 0.5 * j / 128 - 98) = relu(3.0625 * j - 98), exactly.
  std::printf("%s: outputs 31, 32, 33 and 127 of the last image: %g %g %g %g\n",
              std::string(context->kernels().TierName()).c_str(), result[63 * 128 + 31], result[63 * 128 + 32],
              result[63 * 128 + 33], result[63 * 128 + 127]);
}
