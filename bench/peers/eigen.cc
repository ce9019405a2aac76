// SPDX-License-Identifier: Apache-2.0
//
// Eigen, the one file that is compiled for the instruction sets of the building machine: its kernels are chosen when
// they are compiled. Nothing of it leaves this shared object.

#include <Eigen/Core>

#include "peer.h"

namespace lanewise::peers {

namespace {

template <typename T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <typename T>
using ColMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
template <typename T>
using Row = Eigen::Matrix<T, 1, Eigen::Dynamic>;

// c = act(a * b + bias), of whatever types the operands are.
template <typename T, class A, class B, class C>
void Compute(const Problem<T>& p, const A& a, const B& b, C& c) {
  if (p.bias == nullptr) {
    c.noalias() = a * b;
  } else {
    c.rowwise() = Eigen::Map<const Row<T>>(p.bias, p.n);
    c.noalias() += a * b;
  }
  if (p.activation == Activation::kSigmoid) c.array() = c.array().logistic();
}

// A transposed row-major matrix is a column-major one.
template <typename T, class A>
Form WithA(const Problem<T>& p) {
  if (p.b_transposed) {
    return {"gemm", [p] {
              Eigen::Map<Matrix<T>> c(p.c, p.m, p.n);
              Compute(p, Eigen::Map<const A>(p.a, p.m, p.k), Eigen::Map<const ColMajor<T>>(p.b, p.k, p.n), c);
            }};
  }
  return {"gemm", [p] {
            Eigen::Map<Matrix<T>> c(p.c, p.m, p.n);
            Compute(p, Eigen::Map<const A>(p.a, p.m, p.k), Eigen::Map<const Matrix<T>>(p.b, p.k, p.n), c);
          }};
}

// The sizes known when it is compiled.
template <typename T, int size>
void AddFixed(const Problem<T>& p, std::vector<Form>& forms) {
  if (p.m != size || p.n != size || p.k != size || p.bias != nullptr || p.a_transposed || p.b_transposed) return;
  using Fixed = Eigen::Matrix<T, size, size, Eigen::RowMajor>;
  forms.push_back({"fixed size", [p] {
                     Eigen::Map<Fixed> c(p.c);
                     c.noalias() = Eigen::Map<const Fixed>(p.a) * Eigen::Map<const Fixed>(p.b);
                   }});
  forms.push_back({"fixed size, lazy", [p] {
                     Eigen::Map<Fixed> c(p.c);
                     c.noalias() = Eigen::Map<const Fixed>(p.a).lazyProduct(Eigen::Map<const Fixed>(p.b));
                   }});
}

template <typename T>
std::vector<Form> Forms(const Problem<T>& p) {
  std::vector<Form> forms;
  forms.push_back(p.a_transposed ? WithA<T, ColMajor<T>>(p) : WithA<T, Matrix<T>>(p));
  if (p.m == 1 && !p.b_transposed) {
    forms.push_back({"row times matrix", [p] {
                       Eigen::Map<Row<T>> c(p.c, p.n);
                       Compute(p, Eigen::Map<const Row<T>>(p.a, p.k), Eigen::Map<const Matrix<T>>(p.b, p.k, p.n), c);
                     }});
  }
  AddFixed<T, 8>(p, forms);
  AddFixed<T, 16>(p, forms);
  AddFixed<T, 64>(p, forms);
  return forms;
}

class EigenPeer final : public Peer {
 public:
  explicit EigenPeer(int threads) { Eigen::setNbThreads(threads); }

  std::string Name() const override { return "Eigen"; }
  std::string Version() const override {
    return std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
           std::to_string(EIGEN_MINOR_VERSION) + ", " + Eigen::SimdInstructionSetsInUse();
  }
  std::vector<Form> Prepare(const Problem<float>& p) override { return Forms(p); }
  std::vector<Form> Prepare(const Problem<double>& p) override { return Forms(p); }
};

}  // namespace

}  // namespace lanewise::peers

LANEWISE_EXPORT_PEER(lanewise::peers::EigenPeer)
