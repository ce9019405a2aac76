// SPDX-License-Identifier: Apache-2.0

#include "lanewise/verify.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "format.h"
#include "lanewise/gemm.h"
#include "lanewise/random.h"
#include "numeric_class.h"

namespace lanewise {
namespace {

constexpr std::ptrdiff_t kMostCases = 4;
// Values of inputs and outputs that a file may spend on its cases beyond the first, and on a case at all.
constexpr std::ptrdiff_t kManyValues = 60'000;
constexpr std::ptrdiff_t kTooManyValues = 2'000'000;

// The class of all kernels that predictions use, if they are of one.
template <typename T>
std::optional<NumericClass> ClassOf(const Kernels& kernels) {
  return internal::CommonClass<T>(kernels, {"gemm", "relu", "leaky_relu", "sigmoid", "tanh", "softmax", "log_softmax"});
}

template <typename T>
Result<std::vector<T>> Predict(Context& context, const Mlp<T>& network, const std::vector<T>& inputs) {
  const Result<PackedMlp<T>> packed = PackedMlp<T>::Pack(context.kernels(), network);
  if (!packed.ok()) return packed.status();
  const std::ptrdiff_t cases = std::ssize(inputs) / network.inputs();
  std::vector<T> outputs(static_cast<std::size_t>(cases * network.outputs()));
  Status status =
      packed->Predict(context, {inputs.data(), cases, network.inputs()}, {outputs.data(), cases, network.outputs()});
  if (!status.ok()) return status;
  return outputs;
}

template <typename T>
bool SameBits(T x, T y) {
  using Bits = std::conditional_t<sizeof(T) == sizeof(float), std::uint32_t, std::uint64_t>;
  return std::bit_cast<Bits>(x) == std::bit_cast<Bits>(y);
}

// ---- Bounds ------------------------------------------------------------------------------------------------------

// The greatest slope of an activation: the change of an output for a change of 1 of all its inputs.
double GreatestSlope(Activation activation) {
  switch (activation) {
    case Activation::kSigmoid:
      return 0.25;
    case Activation::kSoftmax:
      return 0.5;  // the sum over j of |dy_i / dx_j| is 2 y_i (1 - y_i)
    case Activation::kLogSoftmax:
      return 2;
    case Activation::kIdentity:
    case Activation::kRelu:
    case Activation::kLeakyRelu:
    case Activation::kTanh:
      break;
  }
  return 1;
}

// The error of one computation of an activation's output y, for n outputs whose pre-activations lie `range` apart.
double ActivationError(Activation activation, double y, double range, double n, double u) {
  switch (activation) {
    case Activation::kLeakyRelu:
    case Activation::kSigmoid:
    case Activation::kTanh:
      return 4 * u * std::fabs(y);  // 2 ULP at most, in every class
    case Activation::kSoftmax:
      return (8 + range + n / 16) * u * y;
    case Activation::kLogSoftmax:
      return (16 + 2 * std::fabs(y) + n / 16) * u;
    case Activation::kIdentity:
    case Activation::kRelu:
      break;
  }
  return 0;
}

// One case through the network, layer by layer: how far two computations of each output may lie apart.
template <typename T>
Result<std::vector<double>> Bounds(Context& context, const Mlp<T>& network, std::span<const T> input) {
  const double u = std::numeric_limits<T>::epsilon() / 2;
  const double tiny = std::numeric_limits<T>::min();  // more than all underflows of a sum can lose
  std::vector<T> x(input.begin(), input.end());
  std::vector<double> apart(x.size(), 0);
  for (std::size_t l = 0; l < network.layers().size(); ++l) {
    const LayerShape& layer = network.layers()[l];
    const MatrixView<const T> w = network.weights(l);
    std::vector<T> z(static_cast<std::size_t>(layer.outputs));
    std::vector<T> y(z.size());
    for (const auto& [out, activation] : {std::pair(&z, Activation::kIdentity), std::pair(&y, layer.activation)}) {
      Status status = Gemm<T>(context, {x.data(), 1, layer.inputs}, w, {out->data(), 1, layer.outputs},
                              {.bias = network.bias(l).data(), .activation = activation});
      if (!status.ok()) return status;
    }
    const double terms = static_cast<double>(layer.inputs) + 2;
    // Sums too long for a bound: none holds.
    const double gamma = terms * u < 0.5 ? 2 * terms * u / (1 - terms * u) : std::numeric_limits<double>::infinity();
    std::vector<double> off(z.size());
    for (std::ptrdiff_t j = 0; j < layer.outputs; ++j) {
      double sum = gamma * std::fabs(static_cast<double>(network.bias(l)[static_cast<std::size_t>(j)])) + tiny;
      for (std::ptrdiff_t k = 0; k < layer.inputs; ++k) {
        const auto i = static_cast<std::size_t>(k);
        // The other computation's x is off by apart[i].
        sum += std::fabs(static_cast<double>(w(k, j))) *
               (apart[i] + gamma * (std::fabs(static_cast<double>(x[i])) + apart[i]));
      }
      off[static_cast<std::size_t>(j)] = sum;
    }
    const double slope = GreatestSlope(layer.activation);
    const bool by_rows = layer.activation == Activation::kSoftmax || layer.activation == Activation::kLogSoftmax;
    const double largest_off = *std::ranges::max_element(off);
    const auto [low, high] = std::ranges::minmax(z);
    const double range = static_cast<double>(high) - static_cast<double>(low) + 2 * largest_off;
    apart.resize(z.size());
    for (std::size_t j = 0; j < z.size(); ++j) {
      const double moved = slope * (by_rows ? largest_off : off[j]);
      apart[j] = moved + tiny +
                 2 * ActivationError(layer.activation, std::fabs(static_cast<double>(y[j])) + moved, range,
                                     static_cast<double>(layer.outputs), u);
    }
    x = std::move(y);
  }
  return apart;
}

}  // namespace

template <typename T>
Status AddGoldenCases(Context& context, Model<T>& model) {
  try {
    model.golden.reset();
    const std::ptrdiff_t inputs = model.network.inputs();
    const std::ptrdiff_t values = inputs + model.network.outputs();
    const std::optional<NumericClass> numeric_class = ClassOf<T>(context.kernels());
    if (values > kTooManyValues || !numeric_class) return Status();
    GoldenCases<T> golden{.numeric_class = *numeric_class, .inputs = {}, .outputs = {}};
    const std::ptrdiff_t cases = std::clamp<std::ptrdiff_t>(kManyValues / values, 1, kMostCases);
    for (std::ptrdiff_t c = 0; c < cases; ++c) {
      Random random(1, Stream::kGolden, static_cast<std::uint32_t>(c));
      const double scale = 1 / (8 * static_cast<double>(std::int64_t{1} << 2 * c));
      std::vector<T> input(static_cast<std::size_t>(inputs));
      for (T& x : input) x = static_cast<T>((static_cast<double>(random.Below(17)) - 8) * scale);
      const Result<std::vector<T>> output = Predict(context, model.network, input);
      if (!output.ok()) return output.status();
      if (!std::ranges::all_of(*output, [](T y) { return std::isfinite(y); })) continue;
      golden.inputs.insert(golden.inputs.end(), input.begin(), input.end());
      golden.outputs.insert(golden.outputs.end(), output->begin(), output->end());
    }
    if (golden.inputs.empty()) return Status();
    const Result<std::uint64_t> hash = WeightsHash(model.network);
    if (!hash.ok()) return hash.status();
    golden.weights_hash = *hash;
    model.golden = std::move(golden);
    model.numerics_revision = kNumericsRevision;
    return Status();
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "no memory for golden cases");
  }
}

template <typename T>
Result<Verification> VerifyModel(Context& context, const Model<T>& model) {
  if (!model.golden) return Status(StatusCode::kInvalidArgument, "the model has no golden cases to verify");
  try {
    const GoldenCases<T>& golden = *model.golden;
    const Result<std::uint64_t> hash = WeightsHash(model.network);
    if (!hash.ok()) return hash.status();
    Verification v{.numeric_class = ClassOf<T>(context.kernels())};
    v.weights_ok = *hash == golden.weights_hash;
    v.exact = v.numeric_class == golden.numeric_class && model.numerics_revision == kNumericsRevision;
    v.cases = std::ssize(golden.inputs) / model.network.inputs();
    const auto outputs = static_cast<std::size_t>(model.network.outputs());
    if (v.cases < 1 || std::ssize(golden.inputs) != v.cases * model.network.inputs() ||
        std::ssize(golden.outputs) != v.cases * model.network.outputs()) {
      return Status(StatusCode::kInvalidArgument, "the golden cases do not fit the network");
    }
    const Result<std::vector<T>> found = Predict(context, model.network, golden.inputs);
    if (!found.ok()) return found.status();
    v.outputs = std::ssize(*found);
    for (std::ptrdiff_t c = 0; c < v.cases; ++c) {
      const auto inputs = static_cast<std::size_t>(model.network.inputs());
      const Result<std::vector<double>> bounds =
          Bounds<T>(context, model.network, {golden.inputs.data() + static_cast<std::size_t>(c) * inputs, inputs});
      if (!bounds.ok()) return bounds.status();
      for (std::size_t j = 0; j < outputs; ++j) {
        const T expected = golden.outputs[static_cast<std::size_t>(c) * outputs + j];
        const T y = (*found)[static_cast<std::size_t>(c) * outputs + j];
        const bool same = SameBits(expected, y);
        v.other_bits += !same;
        const double difference = std::fabs(static_cast<double>(y) - static_cast<double>(expected));
        // A NaN is within no bound, and a bound that is infinite says nothing.
        const bool within = std::isfinite((*bounds)[j]) && difference <= (*bounds)[j];
        const double share = same ? 0 : within ? difference / (*bounds)[j] : std::numeric_limits<double>::infinity();
        const bool worst = v.exact ? !same && v.other_bits == 1 : share > v.largest_share;
        v.largest_share = std::max(v.largest_share, share);
        if (worst) {
          v.worst_case = c;
          v.worst_output = static_cast<std::ptrdiff_t>(j);
          v.expected = static_cast<double>(expected);
          v.found = static_cast<double>(y);
          v.bound = (*bounds)[j];
        }
      }
    }
    return v;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, "no memory to verify the model");
  }
}

template Status AddGoldenCases(Context&, Model<float>&);
template Status AddGoldenCases(Context&, Model<double>&);
template Result<Verification> VerifyModel(Context&, const Model<float>&);
template Result<Verification> VerifyModel(Context&, const Model<double>&);

}  // namespace lanewise
