// SPDX-License-Identifier: Apache-2.0

#include "lanewise/activation.h"

namespace lanewise {

namespace {
constexpr std::string_view kNames[] = {"identity", "relu", "leaky-relu", "sigmoid", "tanh", "softmax", "log-softmax"};
}

std::string_view Name(Activation activation) { return kNames[static_cast<int>(activation)]; }

std::optional<Activation> ActivationFromName(std::string_view name) {
  for (int i = 0; i < static_cast<int>(std::size(kNames)); ++i) {
    if (kNames[i] == name) return static_cast<Activation>(i);
  }
  return std::nullopt;
}

}  // namespace lanewise
