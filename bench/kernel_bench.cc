// SPDX-License-Identifier: Apache-2.0
//
// Every kernel of the table but GEMM's, called as the library calls it, on arrays that stay in L1. Written once for
// each kind of kernel, so that a new row of the table is timed by itself; its result is compared with its reference in
// tests/reference.h.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data.h"
#include "fmt/format.h"
#include "kernel_table.h"
#include "oracle.h"
#include "reference.h"
#include "suite.h"
#include "typed_rows.h"

namespace lanewise::bench {

namespace {

using kernels::KernelTable;

// What is timed: a kernel's name without its type, of which tier, on how many elements.
struct Spot {
  std::string_view name;
  Tier tier;
  const KernelTable* table;
  std::size_t n;
};

// Input, output and one array more, as the kinds need them. Positive, so that logarithms exist and sums do not cancel.
template <typename T>
struct Arrays {
  explicit Arrays(std::size_t n) : x(Uniform<T>(n, 0, 1, 1)), dy(Uniform<T>(n, 0, 1, 2)), y(n), want(n) {}
  std::vector<T> x, dy, y, want;
};

constexpr const char* kNoReference = "tests/reference.h has no reference for this kernel";

template <typename T>
std::string CompareBits(const std::vector<T>& got, const std::vector<T>& want) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (!test::SameBits(got[i], want[i])) return fmt::format("element {} is {}, not {}", i, got[i], want[i]);
  }
  return "";
}

template <typename T>
test::RowContext<T> ContextOf(const Spot& spot) {
  return {ClassOf(spot.tier), LANEWISE_ROW_OF(T, *spot.table, exp)};
}

template <typename T>
Prepared Prepare(const Spot& spot, const kernels::UnaryKernel<T>& kernel) {
  const auto d = std::make_shared<Arrays<T>>(spot.n);
  // Logarithms want positive numbers, the others both signs.
  if (!spot.name.starts_with("log")) d->x = Uniform<T>(spot.n, -10, 10, 1);
  return {.run = [d, &kernel] { kernel.run(d->x.data(), d->y.data(), d->x.size()); },
          .check = [d, spot]() -> std::string {
            const test::UnaryReference* reference = test::FindUnary<T>(spot.name);
            if (reference == nullptr) return kNoReference;
            const double bound = MaxUlp<T>(reference->function, ClassOf(spot.tier));
            for (std::size_t i = 0; i < d->x.size(); ++i) {
              const double error = test::UlpError(d->y[i], reference->exact(d->x[i]));
              if (!(error <= bound)) {
                return fmt::format("f({}) is {}, wrong by {} ULP; the bound is {}", d->x[i], d->y[i], error, bound);
              }
            }
            return "";
          },
          .bytes = 2.0 * sizeof(T) * static_cast<double>(spot.n)};
}

template <typename T>
Prepared Prepare(const Spot& spot, const kernels::GradientKernel<T>& kernel) {
  const auto d = std::make_shared<Arrays<T>>(spot.n);
  return {.run = [d, &kernel] { kernel.run(d->x.data(), d->dy.data(), d->y.data(), d->x.size()); },
          .check = [d, spot]() -> std::string {
            const test::GradientReference<T> reference = test::FindGradient<T>(spot.name);
            if (reference == nullptr) return kNoReference;
            for (std::size_t i = 0; i < d->x.size(); ++i) d->want[i] = reference(d->x[i], d->dy[i]);
            return CompareBits(d->y, d->want);
          },
          .bytes = 3.0 * sizeof(T) * static_cast<double>(spot.n)};
}

template <typename T>
Prepared Prepare(const Spot& spot, const kernels::RowKernel<T>& kernel) {
  const auto d = std::make_shared<Arrays<T>>(spot.n);
  return {.run = [d, &kernel] { kernel.run(d->x.data(), 0, d->y.data(), 0, 1, d->x.size()); },
          .check = [d, spot]() -> std::string {
            std::vector<test::RowValue> want;
            if (!test::ReferenceRow(spot.name, d->x, want)) return kNoReference;
            for (std::size_t i = 0; i < want.size(); ++i) {
              if (!test::IsWithin(d->y[i], want[i])) {
                return fmt::format("element {} is {}, not {}", i, d->y[i], static_cast<double>(want[i].exact));
              }
            }
            return "";
          },
          .bytes = 2.0 * sizeof(T) * static_cast<double>(spot.n)};
}

template <typename T>
Prepared Prepare(const Spot& spot, const kernels::RowGradientKernel<T>& kernel) {
  const auto d = std::make_shared<Arrays<T>>(spot.n);
  return {.run = [d, &kernel] { kernel.run(d->x.data(), d->dy.data(), d->y.data(), d->x.size()); },
          .check = [d, spot]() -> std::string {
            if (!test::ReferenceRowGradient(spot.name, ContextOf<T>(spot), d->x, d->dy, d->want)) return kNoReference;
            return CompareBits(d->y, d->want);
          },
          .bytes = 3.0 * sizeof(T) * static_cast<double>(spot.n)};
}

template <typename T>
Prepared Prepare(const Spot& spot, const kernels::SumKernel<T>& kernel) {
  const auto d = std::make_shared<Arrays<T>>(spot.n);
  return {.run = [d, &kernel] { d->y[0] = kernel.run(d->x.data(), d->x.size()); },
          .check = [d] { return CompareBits<T>({d->y[0]}, {test::ReferenceSum(d->x.data(), d->x.size())}); },
          .bytes = sizeof(T) * static_cast<double>(spot.n)};
}

template <typename T>
Prepared Prepare(const Spot& spot, const kernels::ColumnSumKernel<T>& kernel) {
  constexpr std::size_t kRows = 32;  // a mini-batch
  const std::size_t cols = spot.n / kRows;
  const auto d = std::make_shared<Arrays<T>>(spot.n);
  d->y.resize(cols);
  return {.run = [d, &kernel,
                  cols] { kernel.run(d->x.data(), static_cast<std::ptrdiff_t>(cols), kRows, cols, d->y.data()); },
          .check =
              [d, cols] {
                return CompareBits(
                    d->y, test::ReferenceColumnSum(d->x.data(), static_cast<std::ptrdiff_t>(cols), kRows, cols));
              },
          .bytes = sizeof(T) * static_cast<double>(spot.n)};
}

template <typename T>
Prepared Prepare(const Spot& spot, const kernels::SgdKernel<T>& kernel) {
  constexpr T kRate = static_cast<T>(0.1);
  constexpr T kMomentum = static_cast<T>(0.9);
  const auto d = std::make_shared<Arrays<T>>(spot.n);
  const std::vector<T> w = d->y;
  const std::vector<T> v = d->want;
  return {.run = [d, &kernel] { kernel.run(d->y.data(), d->want.data(), d->x.data(), d->x.size(), kRate, kMomentum); },
          .check =
              [d, w, v, spot] {
                std::vector<T> want_w(w.size());
                for (std::size_t i = 0; i < w.size(); ++i) {
                  const T step = test::MultiplyAdd(ClassOf(spot.tier), kMomentum, v[i], d->x[i]);
                  want_w[i] = test::MultiplyAdd(ClassOf(spot.tier), -kRate, step, w[i]);
                }
                return CompareBits(d->y, want_w);
              },
          .bytes = 5.0 * sizeof(T) * static_cast<double>(spot.n)};
}

template <typename T>
Prepared Prepare(const Spot& spot, const kernels::ConvertKernel<T>& kernel) {
  const auto d = std::make_shared<Arrays<T>>(spot.n);
  const auto bytes = std::make_shared<std::vector<std::uint8_t>>(spot.n);
  for (std::size_t i = 0; i < spot.n; ++i) (*bytes)[i] = static_cast<std::uint8_t>(37 * i);
  constexpr T kScale = 1 / T{255};
  return {.run = [d, bytes, &kernel] { kernel.run(bytes->data(), d->y.data(), bytes->size(), kScale); },
          .check =
              [d, bytes] {
                for (std::size_t i = 0; i < bytes->size(); ++i) d->want[i] = static_cast<T>((*bytes)[i]) * kScale;
                return CompareBits(d->y, d->want);
              },
          .bytes = (1.0 + sizeof(T)) * static_cast<double>(spot.n)};
}

// `row` is the kernel's place in a tier's table.
template <class Kernel>
void AddRow(Suite& suite, std::string_view name, const Kernel* KernelTable::*row) {
  using T = typename Kernel::Scalar;
  std::vector<std::size_t> lengths = {4096};
  // Ten classes are what rows are used for most.
  if (std::string_view(Kernel::kKind).starts_with("row")) lengths.push_back(10);
  for (const std::size_t n : lengths) {
    for (int i = 0; i < kTierCount; ++i) {
      const Tier tier = static_cast<Tier>(i);
      if (!suite.Allows(name, tier)) continue;
      const Spot spot{name.substr(0, name.rfind('_')), tier, kernels::CompiledTable(tier), n};
      suite.Add({.name = fmt::format("{}/{}/{}", name, Name(tier), n), .prepare = [spot, row] {
                   Prepared prepared = Prepare<T>(spot, *(spot.table->*row));
                   prepared.elements = static_cast<double>(spot.n);
                   return prepared;
                 }});
    }
  }
}

template <typename T>
void AddRow(Suite& /*suite*/, std::string_view /*name*/, const kernels::GemmKernel<T>* KernelTable::* /*row*/) {
  // gemm_bench.cc
}

}  // namespace

void AddKernels(Suite& suite) {
#define LANEWISE_ROW(name, ...) AddRow(suite, #name, &KernelTable::name);
#include "kernel_rows.inc"
#undef LANEWISE_ROW
}

}  // namespace lanewise::bench
