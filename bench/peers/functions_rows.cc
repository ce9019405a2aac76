// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <cmath>
#include <memory>

#include "functions_grid.h"
#include "lanewise/context.h"
#include "lanewise/functions.h"

namespace lanewise::peers {

namespace {

constexpr std::size_t kInRows = 16000;  // numbers in all rows together: in L2

std::vector<RowPeer> RowPeersFor(const std::string& function) {
  std::vector<RowPeer> peers;
  for (const char* tier : kTiers) {
    const Result<Kernels> kernels = SelectKernels(tier);
    if (!kernels.ok()) continue;
    const auto apply = function == "softmax" ? Softmax<float> : LogSoftmax<float>;
    peers.push_back({NameOfOurs(tier), function,
                     [apply, context = std::make_shared<Context>(*kernels)](const float* x, float* y, std::size_t rows,
                                                                            std::size_t cols) {
                       const auto m = static_cast<std::ptrdiff_t>(rows);
                       const auto n = static_cast<std::ptrdiff_t>(cols);
                       if (!apply(*context, {x, m, n}, {y, m, n}).ok()) std::fill_n(y, rows * cols, NAN);
                     }});
  }
  for (const RowPeer& peer : OneDnnRows()) {
    if (peer.function == function) peers.push_back(peer);
  }
  return peers;
}

// The largest error of one row.
double ShareOfBound(const std::string& function, const float* x, const float* y, std::size_t n) {
  const double max = *std::max_element(x, x + n);
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::exp(x[i] - max);
  double worst = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double distance = max - x[i];
    const auto count = static_cast<double>(n);
    double share = 0;
    if (function == "softmax") {
      const double exact = std::exp(-distance) / sum;
      const double by_length = n <= 256 ? 9 + count / 16 : 24 + count / 128;
      share = std::fabs(y[i] - exact) / exact / std::min(by_length, 8 + distance + count / 16);
    } else {
      const double exact = -distance - std::log(sum);
      share = std::fabs(y[i] - exact) / (16 + 2 * std::fabs(exact) + count / 16);
    }
    worst = std::max(worst, std::ldexp(share, 24));
  }
  return worst;
}

}  // namespace

RowTable CompareRows(const std::string& function) {
  const std::vector<RowPeer> peers = RowPeersFor(function);
  RowTable table{function, {}};
  for (const RowPeer& peer : peers) table.libraries.push_back({peer.library, {}, 0});
  for (std::size_t length = 0; length < std::size(kRowLengths); ++length) {
    const std::size_t cols = kRowLengths[length];
    const std::size_t rows = kInRows / cols;
    const std::vector<float> x = Sample(-10, 10, rows * cols);
    std::vector<float> y(x.size());
    std::vector<std::function<double(int)>> runs;
    runs.reserve(peers.size());
    for (const RowPeer& peer : peers) {
      runs.emplace_back([&](int times) { return Seconds([&] { peer.run(x.data(), y.data(), rows, cols); }, times); });
    }
    const std::vector<double> rates = Throughput(runs, x.size());
    for (std::size_t p = 0; p < peers.size(); ++p) {
      RowFigures& figures = table.libraries[p];
      figures.rates[length] = rates[p];
      peers[p].run(x.data(), y.data(), rows, cols);
      for (std::size_t i = 0; i < rows * cols; i += cols) {
        figures.share_of_bound = std::max(figures.share_of_bound, ShareOfBound(function, &x[i], &y[i], cols));
      }
    }
  }
  return table;
}

}  // namespace lanewise::peers
