// SPDX-License-Identifier: Apache-2.0
//
// The fixed work: matrix products of every kind.

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "format.h"
#include "repro_parts.h"

namespace lanewise::internal {
namespace {

using enum Activation;

// Kinds of elements.
constexpr std::string_view kOrdinaryValues = "ordinary values";
constexpr std::string_view kDenormalProducts = "denormal products";  // and so are C and the bias
constexpr std::string_view kSpecialValues = "special values";
constexpr std::string_view kAnyValues = "any values";  // integers

struct Product {
  std::ptrdiff_t m, n, k;
  bool a_transposed, b_transposed, bias;
  std::ptrdiff_t pad;
  double alpha, beta;
  Activation activation;
  std::string_view values;
};

std::ptrdiff_t Between(std::ptrdiff_t low, std::ptrdiff_t high, Random& random) {
  return low + static_cast<std::ptrdiff_t>(random.Below(static_cast<std::uint64_t>(high - low + 1)));
}

// Sizes around the tiles, the chains and the chunk of the contract, and between; every activation with every kind of
// values, the other settings drawn.
template <typename T>
Product MakeProduct(int index, Random& random) {
  constexpr std::array<std::array<std::ptrdiff_t, 2>, 4> kM = {{{1, 1}, {2, 8}, {1, 40}, {9, 64}}};
  constexpr std::array<std::array<std::ptrdiff_t, 2>, 4> kN = {{{1, 1}, {2, 16}, {17, 70}, {71, 200}}};
  constexpr std::array<std::array<std::ptrdiff_t, 2>, 5> kK = {{{0, 9}, {10, 80}, {250, 262}, {100, 700}, {505, 520}}};
  constexpr double kUnit = std::is_integral_v<T> ? 10 : 1;
  constexpr std::array kAlphas = {1.0, 1.0, -0.7 * kUnit, 1.0, -0.7 * kUnit, 1.0, 1.0, 0.0};
  constexpr std::array kBetas = {0.0, 1.0, 0.0, -0.3 * kUnit};
  constexpr std::array kActivations = {kIdentity, kRelu, kLeakyRelu, kSigmoid, kTanh, kSoftmax, kLogSoftmax};
  constexpr std::array kValues = {kOrdinaryValues, kOrdinaryValues, kOrdinaryValues, kDenormalProducts, kSpecialValues};
  const auto pick = [&random](const auto& items) { return items[random.Below(items.size())]; };
  const auto range = [&](const auto& items) {
    const std::array<std::ptrdiff_t, 2> bounds = pick(items);
    return Between(bounds[0], bounds[1], random);
  };
  Product p = {.m = range(kM),
               .n = range(kN),
               .k = range(kK),
               .a_transposed = random.Below(3) == 0,
               .b_transposed = random.Below(3) == 0,
               .bias = random.Below(2) == 0,
               .pad = random.Below(4) == 0 ? 3 : 0,
               .alpha = pick(kAlphas),
               .beta = pick(kBetas),
               .activation = kActivations[static_cast<std::size_t>(index) % kActivations.size()],
               .values = kValues[static_cast<std::size_t>(index) / kActivations.size() % kValues.size()]};
  if constexpr (std::is_integral_v<T>) {
    p.activation = index % 2 == 0 ? kIdentity : kRelu;
    p.values = kAnyValues;
    return p;
  }
  // These answer the same whatever the sums: a softmax to one column or to sums that 1 swallows, likewise a sigmoid.
  const bool denormal = p.values == kDenormalProducts;
  const bool softmax = p.activation == kSoftmax || p.activation == kLogSoftmax;
  if ((softmax && (p.n == 1 || denormal)) || (p.activation == kSigmoid && denormal)) p.activation = kIdentity;
  return p;
}

std::string Describe(const Product& p) {
  std::string text = Format("M = {}, N = {}, K = {}", p.m, p.n, p.k);
  if (p.a_transposed) text += ", A transposed";
  if (p.b_transposed) text += ", B transposed";
  if (p.pad > 0) text += Format(", lines {} longer", p.pad);
  return text +
         Format(", alpha {}, beta {}{}, {}, {}", p.alpha, p.beta, p.bias ? ", bias" : "", Name(p.activation), p.values);
}

template <typename T>
Status RunProduct(Context& context, const Variation& v, const Product& p, const std::vector<T>& a_values,
                  const std::vector<T>& b_values, const std::vector<T>& c_values, Elements& out) {
  const ShiftedMatrix<T> a(a_values, p.m, p.k, p.a_transposed, p.pad, v.offset);
  const ShiftedMatrix<T> b(b_values, p.k, p.n, p.b_transposed, p.pad, v.offset);
  const ShiftedMatrix<T> c(c_values, p.m, p.n, false, p.pad, v.offset);
  Shifted<T> bias(std::vector<T>(c_values.begin(), c_values.begin() + p.n), v.offset);
  const GemmOptions<T> options{.alpha = static_cast<T>(p.alpha),
                               .beta = static_cast<T>(p.beta),
                               .bias = p.bias ? bias.data() : nullptr,
                               .activation = p.activation};
  Result<PackedMatrix<T>> packed = PackedMatrix<T>::Pack(context.kernels(), b.view);
  if (!packed.ok()) return packed.status();
  Status status = InBatches(p.m, v.batch, [&](std::ptrdiff_t first, std::ptrdiff_t count) {
    const MatrixView<const T> rows = a.view.Rows(first, count);
    return v.packed ? Gemm<T>(context, rows, *packed, c.view.Rows(first, count), options)
                    : Gemm<T>(context, rows, b.view, c.view.Rows(first, count), options);
  });
  Append<T>(c.view, out);
  return status;
}

}  // namespace

template <typename T>
void VisitProducts(Visitor& visitor) {
  constexpr int kProducts = 200;
  for (int i = 0; i < kProducts && visitor.going(); ++i) {
    Random random = visitor.Numbers();
    const Product p = MakeProduct<T>(i, random);
    // Products of two numbers of this size are denormal.
    const double size =
        p.values == kDenormalProducts ? std::sqrt(static_cast<double>(std::numeric_limits<T>::min())) / 8 : 1;
    // Sums of about 1, or size^2: where no activation is flat and hides a difference, nor C or bias the products.
    const double b_size = size * 2 / std::sqrt(static_cast<double>(p.k + 1));
    const double c_size = size * size;
    std::vector<T> a = Uniform<T>(p.m * p.k, -size, size, random);
    const std::vector<T> b = Uniform<T>(p.k * p.n, -b_size, b_size, random);
    const std::vector<T> c = Uniform<T>(p.m * p.n, -c_size, c_size, random);
    if constexpr (std::is_floating_point_v<T>) {
      const std::vector<T> specials = Specials<T>();
      for (int s = 0; s < 4 && p.values == kSpecialValues && !a.empty(); ++s) {
        a[random.Below(a.size())] = specials[random.Below(specials.size())];
      }
    }
    visitor.Visit({Format("gemm {}", kType<T>), Describe(p), p.n,
                   [&](Context& context, const Variation& variation, Elements& out) {
                     return RunProduct<T>(context, variation, p, a, b, c, out);
                   },
                   std::is_integral_v<T>});
  }
}

template void VisitProducts<float>(Visitor&);
template void VisitProducts<double>(Visitor&);
template void VisitProducts<std::int32_t>(Visitor&);
template void VisitProducts<std::int64_t>(Visitor&);

}  // namespace lanewise::internal
