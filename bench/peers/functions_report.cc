// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <cmath>
#include <utility>

#include "fmt/format.h"
#include "functions_grid.h"
#include "nlohmann/json.hpp"

namespace lanewise::peers {

namespace {

using Json = nlohmann::ordered_json;

bool IsOurs(const std::string& library) { return library.starts_with(NameOfOurs("")); }

// JSON has no infinity.
Json Finite(double x) { return std::isfinite(x) ? Json(x) : Json(); }

std::string Size(std::size_t n) { return n == 10000000 ? "1e7" : std::to_string(n); }

double InL1(const FunctionFigures& figures) { return figures.rates[kInL1][kBenign]; }

// Of those that `take_part`, the one with the highest rate; null if there is none.
template <class Figures, class Rate, class TakesPart>
const Figures* Fastest(const std::vector<Figures>& libraries, Rate rate, TakesPart takes_part) {
  const Figures* fastest = nullptr;
  for (const Figures& figures : libraries) {
    if (takes_part(figures) && (fastest == nullptr || rate(figures) > rate(*fastest))) fastest = &figures;
  }
  return fastest;
}

std::string Times(double ours, double theirs, const std::string& whose) {
  return fmt::format("{:.2f}x {} ({:.2f})", ours / theirs, whose, theirs);
}

// "exp, Lanewise avx512, 4096 benign: 13.12 floats/ns at 0.76 ULP; 2.28x SLEEF u10 (5.75), the fastest within ..."
void AddFunction(const FunctionTable& table, const FunctionFigures& ours, std::vector<std::string>& lines) {
  const auto theirs = [](const FunctionFigures& f) { return !IsOurs(f.library); };
  const auto accurate = [](const FunctionFigures& f) { return !IsOurs(f.library) && f.ordinary_ulp <= 2; };
  std::string line = fmt::format("{}, {}, {} benign: {:.2f} floats/ns at {:.2f} ULP", table.function, ours.library,
                                 kSizes[kInL1], InL1(ours), ours.max_ulp);
  if (const FunctionFigures* peer = Fastest(table.libraries, InL1, accurate)) {
    line += fmt::format("; {}, the fastest within 2 ULP for |x| <= 87", Times(InL1(ours), InL1(*peer), peer->library));
  } else {
    line += "; no other is within 2 ULP for |x| <= 87";
  }
  if (const FunctionFigures* peer = Fastest(table.libraries, InL1, theirs)) {
    line += fmt::format("; {}, the fastest, {:.2g} ULP for |x| <= 87", Times(InL1(ours), InL1(*peer), peer->library),
                        peer->ordinary_ulp);
  }
  lines.push_back(std::move(line));

  if (table.function == "tanh") return;
  line = fmt::format("{}, {}, {} denormal: {:.2f} floats/ns", table.function, ours.library, kSizes[kInL1],
                     ours.rates[kInL1][kDenormal]);
  for (const FunctionFigures& peer : table.libraries) {
    if (peer.library != "SLEEF u10" && peer.library != "libmvec") continue;
    line += "; " + Times(ours.rates[kInL1][kDenormal], peer.rates[kInL1][kDenormal], peer.library);
  }
  lines.push_back(std::move(line));
}

void AddRows(const RowTable& table, const RowFigures& ours, std::vector<std::string>& lines) {
  for (const RowFigures& peer : table.libraries) {
    if (IsOurs(peer.library)) continue;
    std::string ratios;
    double product = 1;
    for (std::size_t i = 0; i < std::size(kRowLengths); ++i) {
      const double ratio = ours.rates[i] / peer.rates[i];
      product *= ratio;
      ratios += fmt::format("{}{:.2f}", i == 0 ? "" : " / ", ratio);
    }
    lines.push_back(fmt::format("{}, {}: {}x {} by length of row, {:.2f}x in the mean", table.function, ours.library,
                                ratios, peer.library, std::pow(product, 1.0 / std::size(kRowLengths))));
  }
}

}  // namespace

std::string ToText(const FunctionTable& table) {
  std::string text = fmt::format("\n{:<16}", table.function);
  for (const std::size_t size : kSizes) {
    for (const char* inputs : kInputs) {
      text += fmt::format("{:>12}", fmt::format("{:.6} {}", inputs, Size(size)));
    }
  }
  text += fmt::format("{:>12}{:>12}\n", "max ULP", "|x| <= 87");
  for (const FunctionFigures& figures : table.libraries) {
    text += fmt::format("{:<16}", figures.library);
    for (const auto& rates : figures.rates) {
      for (const double rate : rates) text += fmt::format("{:>12.2f}", rate);
    }
    text += fmt::format("{:>12.3g}{:>12.3g}\n", figures.max_ulp, figures.ordinary_ulp);
  }
  return text;
}

std::string ToText(const RowTable& table) {
  std::string text = fmt::format("\n{:<16}", table.function);
  for (const std::size_t length : kRowLengths) text += fmt::format("{:>14}", fmt::format("rows of {}", length));
  text += fmt::format("{:>24}\n", "error, share of bound");
  for (const RowFigures& figures : table.libraries) {
    text += fmt::format("{:<16}", figures.library);
    for (const double rate : figures.rates) text += fmt::format("{:>14.2f}", rate);
    text += fmt::format("{:>24.2f}\n", figures.share_of_bound);
  }
  return text;
}

std::vector<std::string> Summary(const std::vector<FunctionTable>& functions, const std::vector<RowTable>& rows) {
  std::vector<std::string> lines;
  for (const char* tier : kTiers) {
    for (const FunctionTable& table : functions) {
      if (table.function != "exp" && table.function != "sigmoid" && table.function != "tanh") continue;
      for (const FunctionFigures& figures : table.libraries) {
        if (figures.library == NameOfOurs(tier)) AddFunction(table, figures, lines);
      }
    }
    for (const RowTable& table : rows) {
      for (const RowFigures& figures : table.libraries) {
        if (figures.library == NameOfOurs(tier)) AddRows(table, figures, lines);
      }
    }
  }
  return lines;
}

Json ToJson(const std::vector<FunctionTable>& functions, const std::vector<RowTable>& rows) {
  Json results = Json::array();
  for (const FunctionTable& table : functions) {
    for (const FunctionFigures& figures : table.libraries) {
      Json cells = Json::array();
      for (std::size_t s = 0; s < std::size(kSizes); ++s) {
        for (std::size_t i = 0; i < std::size(kInputs); ++i) {
          cells.push_back({{"size", kSizes[s]}, {"inputs", kInputs[i]}, {"floats_per_ns", figures.rates[s][i]}});
        }
      }
      results.push_back({{"function", table.function},
                         {"library", figures.library},
                         {"max_ulp", Finite(figures.max_ulp)},
                         {"max_ulp_up_to_87", Finite(figures.ordinary_ulp)},
                         {"cells", std::move(cells)}});
    }
  }
  for (const RowTable& table : rows) {
    for (const RowFigures& figures : table.libraries) {
      Json cells = Json::array();
      for (std::size_t i = 0; i < std::size(kRowLengths); ++i) {
        cells.push_back({{"row", kRowLengths[i]}, {"floats_per_ns", figures.rates[i]}});
      }
      results.push_back({{"function", table.function},
                         {"library", figures.library},
                         {"error_share_of_bound", figures.share_of_bound},
                         {"cells", std::move(cells)}});
    }
  }
  return Json{{"results", std::move(results)}, {"summary", Summary(functions, rows)}};
}

}  // namespace lanewise::peers
