// SPDX-License-Identifier: Apache-2.0
//
// oneDNN's eltwise and softmax primitives.

#include "functions.h"

#ifdef LANEWISE_HAVE_ONEDNN

#include <dnnl.hpp>
#include <map>
#include <memory>
#include <utility>

namespace lanewise::peers {

namespace {

// A primitive for each shape, made once, with the memory that it reads and writes. Not for several threads at a time.
class Primitive {
 public:
  using Make = std::function<dnnl::primitive(const dnnl::engine&, const dnnl::memory::desc&)>;
  explicit Primitive(Make make) : make_(std::move(make)) {}

  void Run(const float* x, float* y, std::size_t rows, std::size_t cols) {
    Prepared& prepared = prepared_[{rows, cols}];
    if (!prepared.primitive) {
      const dnnl::memory::desc shape({static_cast<dnnl::memory::dim>(rows), static_cast<dnnl::memory::dim>(cols)},
                                     dnnl::memory::data_type::f32, dnnl::memory::format_tag::ab);
      prepared = {make_(engine_, shape), dnnl::memory(shape, engine_, nullptr), dnnl::memory(shape, engine_, nullptr)};
    }
    prepared.in.set_data_handle(const_cast<float*>(x));
    prepared.out.set_data_handle(y);
    prepared.primitive.execute(stream_, {{DNNL_ARG_SRC, prepared.in}, {DNNL_ARG_DST, prepared.out}});
    stream_.wait();
  }

 private:
  struct Prepared {
    dnnl::primitive primitive;
    dnnl::memory in;
    dnnl::memory out;
  };
  Make make_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::map<std::pair<std::size_t, std::size_t>, Prepared> prepared_;
};

FunctionPeer Eltwise(const char* function, dnnl::algorithm algorithm) {
  const auto make = [algorithm](const dnnl::engine& engine, const dnnl::memory::desc& shape) -> dnnl::primitive {
    using Forward = dnnl::eltwise_forward;
#if DNNL_VERSION_MAJOR < 3
    return Forward({{dnnl::prop_kind::forward_inference, algorithm, shape}, engine});
#else
    return Forward({engine, dnnl::prop_kind::forward_inference, algorithm, shape, shape});
#endif
  };
  return {"oneDNN", function, [primitive = std::make_shared<Primitive>(make)](const float* x, float* y, std::size_t n) {
            primitive->Run(x, y, 1, n);
          }};
}

#if DNNL_VERSION_MAJOR < 3
template <class Forward>
dnnl::primitive MakeSoftmax(const dnnl::engine& engine, const dnnl::memory::desc& shape) {
  return Forward({{dnnl::prop_kind::forward_inference, shape, 1}, engine});
}
constexpr auto kSoftmax = MakeSoftmax<dnnl::softmax_forward>;
constexpr auto kLogSoftmax = MakeSoftmax<dnnl::logsoftmax_forward>;
#else
template <dnnl::algorithm kAlgorithm>
dnnl::primitive MakeSoftmax(const dnnl::engine& engine, const dnnl::memory::desc& shape) {
  return dnnl::softmax_forward({engine, dnnl::prop_kind::forward_inference, kAlgorithm, shape, shape, 1});
}
constexpr auto kSoftmax = MakeSoftmax<dnnl::algorithm::softmax_accurate>;
constexpr auto kLogSoftmax = MakeSoftmax<dnnl::algorithm::softmax_log>;
#endif

RowPeer Rows(const char* function, const Primitive::Make& make) {
  return {"oneDNN", function,
          [primitive = std::make_shared<Primitive>(make)](const float* x, float* y, std::size_t rows,
                                                          std::size_t cols) { primitive->Run(x, y, rows, cols); }};
}

}  // namespace

std::vector<FunctionPeer> OneDnnFunctions() {
  return {Eltwise("exp", dnnl::algorithm::eltwise_exp), Eltwise("log", dnnl::algorithm::eltwise_log),
          Eltwise("sigmoid", dnnl::algorithm::eltwise_logistic), Eltwise("tanh", dnnl::algorithm::eltwise_tanh)};
}

std::vector<RowPeer> OneDnnRows() { return {Rows("softmax", kSoftmax), Rows("log_softmax", kLogSoftmax)}; }

}  // namespace lanewise::peers

#else

namespace lanewise::peers {
std::vector<FunctionPeer> OneDnnFunctions() { return {}; }
std::vector<RowPeer> OneDnnRows() { return {}; }
}  // namespace lanewise::peers

#endif
