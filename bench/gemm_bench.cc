// SPDX-License-Identifier: Apache-2.0
//
// Matrix products through the public Gemm: with B as it is (gemm_f32), packed beforehand (gemm_f32_packed), and so
// small that the call counts with the plan made beforehand too (gemm_f32_planned).

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "data.h"
#include "fmt/format.h"
#include "lanewise/gemm.h"
#include "oracle.h"
#include "suite.h"

namespace lanewise::bench {

namespace {

struct Shape {
  std::ptrdiff_t m, n, k;
};

constexpr Shape kShapes[] = {
    // squares
    {8, 8, 8},
    {16, 16, 16},
    {32, 32, 32},
    {64, 64, 64},
    {100, 100, 100},
    {256, 256, 256},
    {512, 512, 512},
    {1024, 1024, 1024},
    {2048, 2048, 2048},
    // dense layers: samples x outputs x inputs
    {1, 1, 10},
    {1, 10, 101},
    {1, 30, 784},
    {1, 1024, 1024},
    {8, 512, 784},
    {32, 30, 784},
    {32, 512, 784},
    {128, 10, 128},
    {128, 512, 784},
    {512, 512, 784},
    {1000, 20, 10},
    {1000, 5, 20},
    {50000, 25, 400},
    // a weight gradient: inputs x outputs x samples
    {784, 30, 128},
};

template <typename T>
struct Product {
  Product(Tier tier, Shape s)
      : shape(s),
        context(*SelectKernels(Name(tier))),
        a(Uniform<T>(static_cast<std::size_t>(s.m * s.k), -1, 1, 1)),
        b(Uniform<T>(static_cast<std::size_t>(s.k * s.n), -1, 1, 2)),
        c(static_cast<std::size_t>(s.m * s.n)) {}

  MatrixView<const T> A() const { return {a.data(), shape.m, shape.k}; }
  MatrixView<const T> B() const { return {b.data(), shape.k, shape.n}; }
  MatrixView<T> C() { return {c.data(), shape.m, shape.n}; }

  // Keeps an error. Does nothing else where every cycle counts.
  void Note(Status result) {
    if (!result.ok()) status = std::move(result);
  }

  Shape shape;
  Context context;
  std::vector<T> a, b, c;
  Status status;
};

// Compares with the numerics contract, bit by bit: all rows of a small product, of a large one as many as 2^23
// multiply-adds allow (in the oracle's pace, some 20 ms), spread evenly from the first to the last.
template <typename T>
std::string Check(Product<T>& p) {
  if (!p.status.ok()) return p.status.message();
  const auto [m, n, k] = p.shape;
  const std::ptrdiff_t rows = std::clamp<std::ptrdiff_t>((1 << 23) / (n * k), 2, std::max<std::ptrdiff_t>(m, 2));
  const NumericClass numeric_class =
      ClassOf(*p.context.kernels().TierOf(fmt::format("gemm_{}", Name(kElementType<T>))));
  std::vector<T> expected(static_cast<std::size_t>(n));
  for (std::ptrdiff_t r = 0; r < rows; ++r) {
    const std::ptrdiff_t i = r * (m - 1) / (rows - 1);
    test::OracleGemm<T>(numeric_class, 1, p.A().Rows(i, 1), p.B(), 0, nullptr, {expected.data(), 1, n});
    for (std::ptrdiff_t j = 0; j < n; ++j) {
      const T want = expected[static_cast<std::size_t>(j)];
      if (!test::SameBits(p.C()(i, j), want)) {
        return fmt::format("element ({}, {}) is {}, not {}", i, j, p.C()(i, j), want);
      }
    }
  }
  return "";
}

// Below it the cycles of a call tell more than a rate.
bool IsSmall(Shape s) { return s.m * s.n * s.k <= 64 * 64 * 64; }

enum class Form { kPlain, kPlanned, kPacked };
constexpr const char* kSuffixes[] = {"", "_planned", "_packed"};

template <typename T>
Prepared Prepare(Tier tier, Shape shape, Form form) {
  const auto p = std::make_shared<Product<T>>(tier, shape);
  Prepared prepared{
      .run = [p] { p->Note(Gemm<T>(p->context, p->A(), p->B(), p->C())); },
      .check = [p] { return Check(*p); },
      .flops = 2.0 * static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k),
      .cycles = IsSmall(shape)};
  if (form == Form::kPlain) return prepared;
  if (form == Form::kPlanned) {
    const GemmPlan plan = PlanGemm({.type = kElementType<T>, .m = shape.m, .n = shape.n, .k = shape.k},
                                   p->context.kernels(), p->context.machine(), 1);
    prepared.run = [p, plan] { p->Note(Gemm<T>(p->context, plan, p->A(), p->B(), p->C())); };
    return prepared;
  }
  Result<PackedMatrix<T>> b = PackedMatrix<T>::Pack(p->context.kernels(), p->B());
  if (b.ok()) {
    prepared.run = [p, b = std::make_shared<PackedMatrix<T>>(*std::move(b))] {
      p->Note(Gemm<T>(p->context, p->A(), *b, p->C()));
    };
  } else {
    prepared.run = [p, status = b.status()] { p->status = status; };
  }
  return prepared;
}

template <typename T>
void AddType(Suite& suite) {
  const std::string kernel = fmt::format("gemm_{}", Name(kElementType<T>));
  for (const Form form : {Form::kPlain, Form::kPlanned, Form::kPacked}) {
    for (const Shape shape : kShapes) {
      if (form == Form::kPlanned && !IsSmall(shape)) continue;
      for (int i = 0; i < kTierCount; ++i) {
        const Tier tier = static_cast<Tier>(i);
        if (!suite.Allows(kernel, tier)) continue;
        suite.Add({.name = fmt::format("{}{}/{}/{}x{}x{}", kernel, kSuffixes[static_cast<int>(form)], Name(tier),
                                       shape.m, shape.n, shape.k),
                   .prepare = [=] { return Prepare<T>(tier, shape, form); },
                   // Integers have no peak to be compared with: what a multiplication costs is the kernel's choice.
                   .tier = std::is_integral_v<T> ? std::nullopt : std::optional(tier),
                   .type = kElementType<T>});
      }
    }
  }
}

}  // namespace

void AddGemm(Suite& suite) {
  AddType<float>(suite);
  AddType<double>(suite);
  AddType<std::int32_t>(suite);
  AddType<std::int64_t>(suite);
}

}  // namespace lanewise::bench
