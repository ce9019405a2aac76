// SPDX-License-Identifier: Apache-2.0
//
// oneDNN's eltwise primitives.

#include "functions.h"

#ifdef LANEWISE_HAVE_ONEDNN

#include <dnnl.hpp>
#include <map>
#include <memory>

namespace lanewise::peers {

namespace {

// A primitive for each size, made once. Not for several threads at a time.
class Eltwise {
 public:
  explicit Eltwise(dnnl::algorithm algorithm) : algorithm_(algorithm) {}

  void Run(const float* x, float* y, std::size_t n) {
    const dnnl::memory::desc shape({static_cast<dnnl::memory::dim>(n)}, dnnl::memory::data_type::f32,
                                   dnnl::memory::format_tag::a);
    auto& primitive = primitives_[n];
    if (!primitive) {
#if DNNL_VERSION_MAJOR < 3
      const dnnl::eltwise_forward::desc what(dnnl::prop_kind::forward_inference, algorithm_, shape);
      primitive = dnnl::eltwise_forward(dnnl::eltwise_forward::primitive_desc(what, engine_));
#else
      primitive = dnnl::eltwise_forward(
          dnnl::eltwise_forward::primitive_desc(engine_, dnnl::prop_kind::forward_inference, algorithm_, shape, shape));
#endif
    }
    const dnnl::memory in(shape, engine_, const_cast<float*>(x));
    const dnnl::memory out(shape, engine_, y);
    primitive.execute(stream_, {{DNNL_ARG_SRC, in}, {DNNL_ARG_DST, out}});
    stream_.wait();
  }

 private:
  dnnl::algorithm algorithm_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::map<std::size_t, dnnl::eltwise_forward> primitives_;
};

FunctionPeer Peer(const char* function, dnnl::algorithm algorithm) {
  return {"oneDNN", function,
          [eltwise = std::make_shared<Eltwise>(algorithm)](const float* x, float* y, std::size_t n) {
            eltwise->Run(x, y, n);
          }};
}

}  // namespace

std::vector<FunctionPeer> OneDnnFunctions() {
  return {Peer("exp", dnnl::algorithm::eltwise_exp), Peer("log", dnnl::algorithm::eltwise_log),
          Peer("sigmoid", dnnl::algorithm::eltwise_logistic), Peer("tanh", dnnl::algorithm::eltwise_tanh)};
}

}  // namespace lanewise::peers

#else

namespace lanewise::peers {
std::vector<FunctionPeer> OneDnnFunctions() { return {}; }
}  // namespace lanewise::peers

#endif
