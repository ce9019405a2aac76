// SPDX-License-Identifier: Apache-2.0
//
// Checking, picking from and splitting a Dataset. Knows nothing of files.

#include "lanewise/dataset.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <new>
#include <numeric>
#include <span>
#include <utility>

#include "format.h"
#include "hash.h"
#include "lanewise/random.h"

namespace lanewise {
namespace {

Status Invalid(std::string message) { return {StatusCode::kInvalidArgument, "data set: " + std::move(message)}; }

// Whether size = rows * cols, without overflow. rows >= 1, cols >= 0.
bool IsProduct(std::size_t size, std::ptrdiff_t rows, std::ptrdiff_t cols) {
  const std::size_t r = static_cast<std::size_t>(rows);
  return size % r == 0 && size / r == static_cast<std::size_t>(cols);
}

// The position of the first value that is not finite, or the size.
std::size_t FirstNotFinite(const std::vector<float>& values) {
  // Nearly always there is none. The sum's highest bit tells an exponent of ones, and without a branch for each value
  // compilers look at several at once.
  std::uint32_t sums = 0;
  for (const float value : values) sums |= (std::bit_cast<std::uint32_t>(value) & 0x7F800000U) + 0x00800000U;
  if (sums >> 31 == 0) return values.size();
  const auto found = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  return static_cast<std::size_t>(found - values.begin());
}

template <typename T>
std::vector<T> PickRows(const std::vector<T>& rows, std::ptrdiff_t width, std::span<const std::ptrdiff_t> indices) {
  std::vector<T> picked;
  if (rows.empty()) return picked;
  picked.reserve(indices.size() * static_cast<std::size_t>(width));
  for (const std::ptrdiff_t i : indices) picked.insert(picked.end(), &rows[0] + i * width, &rows[0] + (i + 1) * width);
  return picked;
}

// The samples with these numbers, in this order; everything else is as in `data`.
Dataset Subset(const Dataset& data, std::span<const std::ptrdiff_t> indices) {
  return {.samples = static_cast<std::ptrdiff_t>(indices.size()),
          .features = data.features,
          .bytes = PickRows(data.bytes, data.features, indices),
          .values = PickRows(data.values, data.features, indices),
          .labels = PickRows(data.labels, 1, indices),
          .classes = data.classes,
          .class_names = data.class_names,
          .targets = PickRows(data.targets, data.target_count, indices),
          .target_count = data.target_count,
          .image_rows = data.image_rows,
          .image_cols = data.image_cols};
}

}  // namespace

Status Validate(const Dataset& data) {
  if (data.samples < 1 || data.features < 1) {
    return Invalid(Format("{} samples of {} features; at least one of each is needed", data.samples, data.features));
  }
  if (data.bytes.empty() == data.values.empty()) {
    return Invalid("exactly one of bytes and values must be filled");
  }
  const std::size_t inputs = data.bytes.size() + data.values.size();
  if (!IsProduct(inputs, data.samples, data.features)) {
    return Invalid(Format("{} inputs for {} samples of {} features", inputs, data.samples, data.features));
  }
  if (const std::size_t i = FirstNotFinite(data.values); i != data.values.size()) {
    const std::size_t features = static_cast<std::size_t>(data.features);
    return Invalid(Format("feature {} of sample {} is not finite", i % features, i / features));
  }

  if (data.labels.empty() ? data.classes != 0 : data.classes < 1) {
    return Invalid(Format("{} classes with {} labels", data.classes, data.labels.size()));
  }
  if (!data.labels.empty() && data.labels.size() != static_cast<std::size_t>(data.samples)) {
    return Invalid(Format("{} labels for {} samples", data.labels.size(), data.samples));
  }
  for (std::size_t i = 0; i < data.labels.size(); ++i) {
    if (data.labels[i] < 0 || data.labels[i] >= data.classes) {
      return Invalid(
          Format("label {} of sample {}; there are {} classes, counted from 0", data.labels[i], i, data.classes));
    }
  }
  if (!data.class_names.empty() && data.class_names.size() != static_cast<std::size_t>(data.classes)) {
    return Invalid(Format("{} class names for {} classes", data.class_names.size(), data.classes));
  }

  if (data.target_count < 0 || !IsProduct(data.targets.size(), data.samples, data.target_count)) {
    return Invalid(
        Format("{} targets for {} samples of {} targets", data.targets.size(), data.samples, data.target_count));
  }
  if (const std::size_t i = FirstNotFinite(data.targets); i != data.targets.size()) {
    const std::size_t count = static_cast<std::size_t>(data.target_count);
    return Invalid(Format("target {} of sample {} is not finite", i % count, i / count));
  }

  const bool is_image = data.image_rows != 0 || data.image_cols != 0;
  if (is_image && (data.image_rows < 1 || data.image_cols < 1 ||
                   !IsProduct(static_cast<std::size_t>(data.features), data.image_rows, data.image_cols))) {
    return Invalid(Format("images of {} x {} with {} features", data.image_rows, data.image_cols, data.features));
  }
  return {};
}

std::uint64_t DatasetHash(const Dataset& data) {
  const auto hash = [](const auto& values) { return Hash(values.data(), values.size() * sizeof(values[0])); };
  const std::uint64_t parts[] = {static_cast<std::uint64_t>(data.samples),
                                 static_cast<std::uint64_t>(data.features),
                                 hash(data.bytes),
                                 hash(data.values),
                                 hash(data.labels),
                                 static_cast<std::uint64_t>(data.classes),
                                 hash(data.targets),
                                 static_cast<std::uint64_t>(data.target_count)};
  return Hash(parts, sizeof parts);
}

Result<TrainValidation> SplitDataset(const Dataset& data, double fraction, std::uint64_t seed) {
  // The negation refuses a NaN too.
  if (!(fraction > 0 && fraction < 1)) {
    return Status(StatusCode::kInvalidArgument,
                  Format("the share to set aside for validation is {}; it must lie between 0 and 1", fraction));
  }
  const std::ptrdiff_t validation = static_cast<std::ptrdiff_t>(fraction * static_cast<double>(data.samples));
  if (validation < 1 || validation >= data.samples) {
    return Status(
        StatusCode::kInvalidArgument,
        Format("setting {} of {} samples aside for validation leaves one part empty", fraction, data.samples));
  }
  try {
    std::vector<std::ptrdiff_t> indices(static_cast<std::size_t>(data.samples));
    std::iota(indices.begin(), indices.end(), std::ptrdiff_t{0});
    Random random(seed, Stream::kSplit);
    Shuffle(std::span(indices), random);
    const std::span<std::ptrdiff_t> drawn = std::span(indices).first(static_cast<std::size_t>(validation));
    const std::span<std::ptrdiff_t> rest = std::span(indices).subspan(static_cast<std::size_t>(validation));
    std::sort(drawn.begin(), drawn.end());
    std::sort(rest.begin(), rest.end());
    return TrainValidation{.train = Subset(data, rest), .validation = Subset(data, drawn)};
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "no memory to split the data set");
  }
}

}  // namespace lanewise
