// SPDX-License-Identifier: Apache-2.0
//
// The activations of layers and the functions fused to a GEMM.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lanewise {

// act(x), as functions.h defines it: kSoftmax and kLogSoftmax act on whole rows, the others on each element.
enum class Activation : std::uint8_t { kIdentity, kRelu, kLeakyRelu, kSigmoid, kTanh, kSoftmax, kLogSoftmax };

// "identity", "relu", "leaky-relu", "sigmoid", "tanh", "softmax", "log-softmax".
std::string_view Name(Activation activation);

// The activation of that name, if there is one.
std::optional<Activation> ActivationFromName(std::string_view name);

}  // namespace lanewise
