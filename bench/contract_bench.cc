// SPDX-License-Identifier: Apache-2.0
//
// What the numerics contract costs, f32: Lanewise's dense layers (packed weights, bias) and functions, each beside the
// fastest of the free kernels (free_kernels.h), in turns. Results are checked to agree within rounding.

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aligned.h"
#include "data.h"
#include "fmt/format.h"
#include "free_kernels.h"
#include "lanewise/functions.h"
#include "lanewise/gemm.h"
#include "oracle.h"
#include "select.h"
#include "suite.h"

namespace lanewise::bench {

namespace {

// Where arrays lie counts as much as how they are added up: all begin with a cache line.
using Floats = internal::AlignedArray<float>;
Floats Aligned(const std::vector<float>& values) {
  Floats array;
  if (!array.Reserve(values.size())) throw std::bad_alloc();
  std::ranges::copy(values, array.data());
  return array;
}

struct Layer {
  std::ptrdiff_t n, k;
};

// Those of the comparison with peers, and one output.
constexpr Layer kLayers[] = {{1, 784}, {10, 128}, {10, 784}, {30, 784}, {128, 784}, {512, 512}, {1024, 1024}};
constexpr std::ptrdiff_t kBatches[] = {1, 8, 64, 512};

// A layer computed in one way.
struct Way {
  Way(const Kernels& kernels, std::ptrdiff_t size)
      : context(kernels), c(Aligned(std::vector<float>(static_cast<std::size_t>(size)))) {}
  Context context;
  std::optional<PackedMatrix<float>> packed = {};  // B, as the context's kernels read it
  Floats c;
  std::function<void()> run;
};

struct Dense {
  std::ptrdiff_t m, n, k;
  std::vector<float> b = {}, bias = {};
  Floats a = {}, b_transposed = {};
  std::vector<std::unique_ptr<Way>> ways = {};  // the first is the contract's
  std::string error = {};

  MatrixView<const float> A() const { return {a.data(), m, k}; }
  MatrixView<const float> B() const { return {b.data(), k, n}; }
};

// Adds the layer as the library computes it with these kernels.
void AddGemmWay(Dense& d, const Kernels& kernels) {
  d.ways.push_back(std::make_unique<Way>(kernels, d.m * d.n));
  Way& way = *d.ways.back();
  Result<PackedMatrix<float>> packed = PackedMatrix<float>::Pack(kernels, d.B());
  if (!packed.ok()) throw std::bad_alloc();  // there is no other error
  way.packed.emplace(*std::move(packed));
  const GemmPlan plan = PlanGemm({.m = d.m, .n = d.n, .k = d.k, .b_packed = true}, kernels, way.context.machine(), 1);
  way.run = [&d, &way, plan] {
    const GemmOptions<float> options{.bias = d.bias.data()};
    const Status status = Gemm<float>(way.context, plan, d.A(), *way.packed, {way.c.data(), d.m, d.n}, options);
    if (!status.ok()) d.error = status.message();
  };
}

// All ways must give the contract's sums, but for what rounding K times can do.
std::string CheckDense(const Dense& d) {
  if (!d.error.empty()) return d.error;
  for (std::ptrdiff_t i : {std::ptrdiff_t{0}, d.m - 1}) {
    std::vector<float> want(static_cast<std::size_t>(d.n));
    test::OracleGemm<float>(NumericClass::kFma, 1, d.A().Rows(i, 1), d.B(), 0, d.bias.data(), {want.data(), 1, d.n});
    for (std::size_t w = 0; w < d.ways.size(); ++w) {
      for (std::ptrdiff_t j = 0; j < d.n; ++j) {
        const float got = d.ways[w]->c.data()[i * d.n + j];
        const float expected = want[static_cast<std::size_t>(j)];
        // Elements are at most 1.
        const double bound = w == 0 ? 0 : 0x1p-23 * static_cast<double>(d.k + 1);
        if (std::fabs(static_cast<double>(got) - static_cast<double>(expected)) > bound) {
          return fmt::format("way {}: element ({}, {}) is {}, not {}", w, i, j, got, expected);
        }
      }
    }
  }
  return "";
}

Prepared PrepareDense(Tier tier, std::ptrdiff_t m, Layer layer) {
  const auto d = std::make_shared<Dense>(Dense{.m = m, .n = layer.n, .k = layer.k});
  d->a = Aligned(Uniform<float>(static_cast<std::size_t>(m * layer.k), -1, 1, 1));
  d->b = Uniform<float>(static_cast<std::size_t>(layer.n * layer.k), -1, 1, 2);
  d->bias = Uniform<float>(static_cast<std::size_t>(layer.n), -1, 1, 3);
  std::vector<float> b_transposed;
  for (std::ptrdiff_t j = 0; j < layer.n; ++j) {
    for (std::ptrdiff_t k = 0; k < layer.k; ++k) b_transposed.push_back(d->B()(k, j));
  }
  d->b_transposed = Aligned(b_transposed);
  const Kernels kernels = *SelectKernels(Name(tier));
  const FreeKernels& free = *FreeKernelsOf(tier);
  AddGemmWay(*d, kernels);
  for (const kernels::GemmKernel<float>& gemm : free.gemm) {
    Selection selection{.table = kernels.table(), .rest = tier, .tiers = {}};
    selection.table.gemm_f32 = &gemm;
    AddGemmWay(*d, MakeKernels(std::move(selection)));
  }
  if (layer.n <= 16) {
    d->ways.push_back(std::make_unique<Way>(kernels, m * layer.n));
    Way& way = *d->ways.back();
    way.run = [&way, d = d.get(), dots = free.dot_products] {
      dots(d->a.data(), d->b_transposed.data(), d->bias.data(), way.c.data(), d->m, d->n, d->k);
    };
  }
  Prepared prepared{
      .run = [d] { d->ways[0]->run(); },
      .check =
          [d] {
            for (const auto& way : d->ways) way->run();
            return CheckDense(*d);
          },
      .flops = 2.0 * static_cast<double>(m) * static_cast<double>(layer.n) * static_cast<double>(layer.k)};
  for (std::size_t w = 1; w < d->ways.size(); ++w) prepared.rivals.push_back([d, w] { d->ways[w]->run(); });
  return prepared;
}

using Function = std::function<void(const float* x, float* y, std::size_t n)>;

// Their results are at most `apart` of themselves apart.
Prepared PrepareFunction(const Function& own, const std::vector<Function>& rivals, std::size_t n, double apart) {
  struct Data {
    std::vector<float> x, y, rivals_y;
  };
  const auto d =
      std::make_shared<Data>(Data{Uniform<float>(n, -10, 10, 1), std::vector<float>(n), std::vector<float>(n)});
  Prepared prepared{.run = [d, own] { own(d->x.data(), d->y.data(), d->x.size()); },
                    .check = [d, rivals, apart]() -> std::string {
                      for (const Function& rival : rivals) {
                        rival(d->x.data(), d->rivals_y.data(), d->x.size());
                        for (std::size_t i = 0; i < d->x.size(); ++i) {
                          const double y = d->y[i];
                          if (!(std::fabs(d->rivals_y[i] - y) <= apart * std::fabs(y))) {
                            return fmt::format("f({}) is {} or {}", d->x[i], y, d->rivals_y[i]);
                          }
                        }
                      }
                      return "";
                    },
                    .elements = static_cast<double>(n)};
  for (const Function& rival : rivals) {
    prepared.rivals.push_back([d, rival] { rival(d->x.data(), d->rivals_y.data(), d->x.size()); });
  }
  return prepared;
}

}  // namespace

void AddContract(Suite& suite) {
  for (int t = 0; t < kTierCount; ++t) {
    const Tier tier = static_cast<Tier>(t);
    const FreeKernels* free = FreeKernelsOf(tier);
    if (free == nullptr || !suite.Allows("gemm_f32", tier)) continue;
    for (const Layer layer : kLayers) {
      for (const std::ptrdiff_t m : kBatches) {
        suite.Add({.name = fmt::format("contract_dense/{}/{}x{}x{}", Name(tier), m, layer.n, layer.k),
                   .prepare = [=] { return PrepareDense(tier, m, layer); },
                   .tier = tier});
      }
    }
    const kernels::KernelTable& own = *kernels::CompiledTable(tier);
    const auto add = [&](const char* name, const Function& function, const std::vector<Function>& rivals,
                         std::size_t n) {
      suite.Add({.name = fmt::format("contract_{}/{}/{}", name, Name(tier), n),
                 .prepare = [=] { return PrepareFunction(function, rivals, n, 0x1p-21); }});
    };
    add("sigmoid", own.sigmoid_f32->run, {free->sigmoid}, 4096);
    add("tanh", own.tanh_f32->run, {free->tanh[0], free->tanh[1]}, 4096);
    constexpr std::size_t kClasses[] = {10, 100, 1000};
    for (const std::size_t n : kClasses) {
      constexpr std::size_t kRows = 4;  // the rounding of x - max counts here, which the contract's has as two terms
      suite.Add({.name = fmt::format("contract_softmax/{}/{}x{}", Name(tier), kRows, n), .prepare = [&own, free, n] {
                   const auto stride = static_cast<std::ptrdiff_t>(n);
                   return PrepareFunction(
                       [&own, stride, n](const float* x, float* y, std::size_t) {
                         own.softmax_f32->run(x, stride, y, stride, kRows, n);
                       },
                       {[free, n](const float* x, float* y, std::size_t) { free->softmax(x, y, kRows, n); }}, kRows * n,
                       0x1p-18);
                 }});
    }
  }
}

}  // namespace lanewise::bench
