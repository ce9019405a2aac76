// SPDX-License-Identifier: Apache-2.0
//
// oneDNN, 3 from Python's wheels or Debian's 2: weights in the layout that each primitive asks for, bias and activation
// fused. It has no f64.

#include <unordered_map>
#include <utility>

#include "dnnl.hpp"
#include "peer.h"

namespace lanewise::peers {

namespace {

using dnnl::memory;
using Tag = memory::format_tag;

class OneDnn final : public Peer {
 public:
  explicit OneDnn(int /*threads*/) {}  // OpenMP's

  std::string Name() const override { return "oneDNN"; }
  std::string Version() const override {
    const dnnl_version_t* v = dnnl_version();
    const bool avx512 = dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core;
    return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch) +
           (avx512 ? ", AVX-512" : ", below AVX-512");
  }
  std::vector<Form> Prepare(const Problem<float>& p) override;
  std::vector<Form> Prepare(const Problem<double>& /*problem*/) override { return {}; }

 private:
  Form MatMul(const Problem<float>& p, bool packed);
  Form InnerProduct(const Problem<float>& p);
  Form Make(std::string name, const dnnl::primitive& primitive, const Problem<float>& p, const memory::desc& a,
            const memory::desc& plain_b, const memory::desc& b, const memory::desc& bias, const memory::desc& c);
  memory Wrap(const memory::desc& desc, const float* data) { return {desc, engine_, const_cast<float*>(data)}; }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
};

memory::desc Desc(const memory::dims& dims, Tag tag) { return {dims, memory::data_type::f32, tag}; }

dnnl::primitive_attr Attributes(const Problem<float>& p) {
  dnnl::primitive_attr attributes;
  if (p.activation == Activation::kSigmoid) {
    dnnl::post_ops sigmoid;
#if DNNL_VERSION_MAJOR >= 3
    sigmoid.append_eltwise(dnnl::algorithm::eltwise_logistic, 0, 0);
#else
    sigmoid.append_eltwise(1, dnnl::algorithm::eltwise_logistic, 0, 0);
#endif
    attributes.set_post_ops(sigmoid);
  }
  return attributes;
}

// Lays B out as `b` says, which is not timed, and binds the arguments.
Form OneDnn::Make(std::string name, const dnnl::primitive& primitive, const Problem<float>& p, const memory::desc& a,
                  const memory::desc& plain_b, const memory::desc& b, const memory::desc& bias, const memory::desc& c) {
  memory weights = Wrap(plain_b, p.b);
  if (b != plain_b) {
    memory laid_out(b, engine_);
    dnnl::reorder(weights, laid_out).execute(stream_, weights, laid_out);
    stream_.wait();
    weights = laid_out;
  }
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, Wrap(a, p.a)}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, Wrap(c, p.c)}};
  if (p.bias != nullptr) arguments.emplace(DNNL_ARG_BIAS, Wrap(bias, p.bias));
  return {std::move(name), [this, primitive, arguments] { primitive.execute(stream_, arguments); }};
}

Form OneDnn::MatMul(const Problem<float>& p, bool packed) {
  const memory::desc a = Desc({p.m, p.k}, p.a_transposed ? Tag::ba : Tag::ab);
  const memory::desc plain_b = Desc({p.k, p.n}, p.b_transposed ? Tag::ba : Tag::ab);
  const memory::desc b = packed ? Desc({p.k, p.n}, Tag::any) : plain_b;
  const memory::desc c = Desc({p.m, p.n}, Tag::ab);
  const memory::desc bias = p.bias != nullptr ? Desc({1, p.n}, Tag::ab) : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc chosen(engine_, a, b, bias, c, Attributes(p));
#else
  const dnnl::matmul::primitive_desc chosen(dnnl::matmul::desc(a, b, bias, c), Attributes(p), engine_);
#endif
  return Make(packed ? "matmul, packed" : "matmul", dnnl::matmul(chosen), p, a, plain_b, chosen.weights_desc(), bias,
              c);
}

Form OneDnn::InnerProduct(const Problem<float>& p) {
  const memory::desc a = Desc({p.m, p.k}, Tag::nc);
  const memory::desc plain_b = Desc({p.n, p.k}, p.b_transposed ? Tag::oi : Tag::io);
  const memory::desc any_b = Desc({p.n, p.k}, Tag::any);
  const memory::desc c = Desc({p.m, p.n}, Tag::nc);
  const memory::desc bias = p.bias != nullptr ? Desc({p.n}, Tag::x) : memory::desc();
  constexpr auto kKind = dnnl::prop_kind::forward_inference;
  using Operation = dnnl::inner_product_forward;
#if DNNL_VERSION_MAJOR >= 3
  const Operation::primitive_desc chosen(engine_, kKind, a, any_b, bias, c, Attributes(p));
#else
  const Operation::primitive_desc chosen(Operation::desc(kKind, a, any_b, bias, c), Attributes(p), engine_);
#endif
  return Make("inner product, packed", Operation(chosen), p, a, plain_b, chosen.weights_desc(), bias, c);
}

std::vector<Form> OneDnn::Prepare(const Problem<float>& p) {
  std::vector<Form> forms;
  forms.push_back(MatMul(p, false));
  if (p.constant_b && !p.a_transposed) {
    forms.push_back(MatMul(p, true));
    forms.push_back(InnerProduct(p));
  }
  return forms;
}

}  // namespace

}  // namespace lanewise::peers

LANEWISE_EXPORT_PEER(lanewise::peers::OneDnn)
