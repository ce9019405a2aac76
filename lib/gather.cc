// SPDX-License-Identifier: Apache-2.0

#include "gather.h"

#include <algorithm>

#include "format.h"
#include "typed_rows.h"

namespace lanewise::internal {

template <typename T>
void ReadSample(const kernels::KernelTable& table, const Dataset& data, std::ptrdiff_t sample, T scale, T* x) {
  const std::ptrdiff_t begin = sample * data.features;
  if (!data.bytes.empty()) {
    LANEWISE_ROW_OF(T, table, convert_u8)
        .run(data.bytes.data() + begin, x, static_cast<std::size_t>(data.features), scale);
    return;
  }
  const float* values = data.values.data() + begin;
  for (std::ptrdiff_t j = 0; j < data.features; ++j) x[j] = static_cast<T>(values[j]) * scale;
}

template <typename T>
void ReadTarget(const Dataset& data, std::ptrdiff_t sample, std::span<T> target) {
  if (data.labels.empty()) {
    const float* values = data.targets.data() + sample * data.target_count;
    std::copy_n(values, target.size(), target.begin());
    return;
  }
  const std::int32_t label = data.labels[static_cast<std::size_t>(sample)];
  if (target.size() == 1) {
    target[0] = static_cast<T>(label);
    return;
  }
  std::ranges::fill(target, T{0});
  target[static_cast<std::size_t>(label)] = T{1};
}

template <typename T>
std::int32_t PredictedClass(std::span<const T> outputs) {
  if (outputs.size() == 1) return outputs[0] >= T{0.5} ? 1 : 0;
  return static_cast<std::int32_t>(std::ranges::max_element(outputs) - outputs.begin());
}

Status CheckTargets(const Dataset& data, std::ptrdiff_t inputs, std::ptrdiff_t outputs) {
  const auto invalid = [](std::string message) { return Status(StatusCode::kInvalidArgument, std::move(message)); };
  Status valid = Validate(data);
  if (!valid.ok()) return valid;
  if (data.features != inputs) {
    return invalid(Format("the data set has {} features per sample, the network takes {}", data.features, inputs));
  }
  if (data.labels.empty() && data.targets.empty()) return invalid("the data set has neither labels nor targets");
  if (!data.labels.empty() && data.classes > std::max<std::ptrdiff_t>(outputs, 2)) {
    return invalid(Format("the data set has {} classes, the network {} output{}", data.classes, outputs,
                          outputs == 1 ? " (which serves two)" : "s"));
  }
  if (data.labels.empty() && data.target_count != outputs) {
    return invalid(
        Format("the data set has {} targets per sample, the network {} outputs", data.target_count, outputs));
  }
  return Status();
}

#define LANEWISE_INSTANTIATE(T)                                                                 \
  template void ReadSample(const kernels::KernelTable&, const Dataset&, std::ptrdiff_t, T, T*); \
  template void ReadTarget(const Dataset&, std::ptrdiff_t, std::span<T>);                       \
  template std::int32_t PredictedClass(std::span<const T>);
LANEWISE_INSTANTIATE(float)
LANEWISE_INSTANTIATE(double)
#undef LANEWISE_INSTANTIATE

}  // namespace lanewise::internal
