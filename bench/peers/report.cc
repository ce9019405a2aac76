// SPDX-License-Identifier: Apache-2.0
//
// Tables and JSON; declared in report.h.

#include "report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <string_view>

#include "fmt/format.h"
#include "nlohmann/json.hpp"

namespace lanewise::peers {

namespace {

constexpr std::size_t kWorst = 20;

const Entry* Find(const Measurement& m, std::string_view library) {
  const auto found =
      std::find_if(m.entries.begin(), m.entries.end(), [=](const Entry& e) { return e.peer == library; });
  return found == m.entries.end() ? nullptr : &*found;
}

std::string Figures(const Measurement& m, const std::vector<std::string>& libraries,
                    const std::function<double(const Entry&)>& figure) {
  std::string text;
  for (const std::string& library : libraries) {
    const Entry* entry = Find(m, library);
    text += entry == nullptr ? fmt::format("{:>10}", "-") : fmt::format("{:>10.1f}", figure(*entry));
  }
  return text;
}

double Ratio(const Measurement& m) { return m.BestPeer()->ratio; }

// A line for the cells that `belongs` picks, if any.
std::string Mean(const std::vector<Measurement>& measurements, const std::string& label,
                 const std::function<bool(const Cell&)>& belongs) {
  double logs = 0;
  double logs_at_limit = 0;
  int count = 0;
  const Measurement* worst = nullptr;
  for (const Measurement& m : measurements) {
    if (m.entries.empty() || m.BestPeer() == nullptr || !belongs(m.cell)) continue;
    logs += std::log(Ratio(m));
    logs_at_limit += std::log(Ratio(m) * m.ours().median / m.Limit());
    ++count;
    if (worst == nullptr || Ratio(m) < Ratio(*worst)) worst = &m;
  }
  if (count == 0) return "";
  return fmt::format("{:<28}{:>6}{:>10.2f}{:>10.2f}{:>8.2f}  {}\n", label, count, std::exp(logs / count),
                     std::exp(logs_at_limit / count), Ratio(*worst), worst->cell.Name());
}

std::string MeansOf(const std::vector<Measurement>& measurements, ElementType type) {
  const std::string name = type == ElementType::kF32 ? "f32" : "f64";
  std::string text;
  for (const Use use :
       {Use::kSquare, Use::kDense, Use::kSigmoid, Use::kWeights, Use::kInputs, Use::kWork, Use::kCall}) {
    const auto of_use = [=](const Cell& c) { return c.use == use && c.type == type; };
    text += Mean(measurements, fmt::format("{} {}", Name(use), name), of_use);
    if (use != Use::kDense) continue;
    text += Mean(measurements, "  1 to 8 samples", [=](const Cell& c) { return of_use(c) && c.m <= 8; });
    std::vector<std::pair<std::ptrdiff_t, std::ptrdiff_t>> layers;
    for (const Measurement& m : measurements) {
      const std::pair layer(m.cell.n, m.cell.k);
      if (!of_use(m.cell) || std::find(layers.begin(), layers.end(), layer) != layers.end()) continue;
      layers.push_back(layer);
      text += Mean(measurements, fmt::format("  {} -> {}", m.cell.k, m.cell.n),
                   [=](const Cell& c) { return of_use(c) && std::pair(c.n, c.k) == layer; });
    }
  }
  return text;
}

}  // namespace

std::string Heading(const std::vector<std::string>& libraries) {
  std::string text = fmt::format("{:<26}{:>7}  {:<13}{:<9}{:>12}", "cell", "ratio", "(quartiles)", "to", "of limit");
  for (const std::string& library : libraries) text += fmt::format("{:>10}", library);
  return text + "\n";
}

std::string Line(const Measurement& m, const std::vector<std::string>& libraries) {
  std::string text;
  for (const std::string& wrong : m.wrong) text += fmt::format("{:<26}WRONG: {}\n", m.cell.Name(), wrong);
  if (m.entries.empty()) return text;
  const Entry* best = m.BestPeer();
  text += fmt::format("{:<26}", m.cell.Name());
  text += best == nullptr ? fmt::format("{:>31}", "no peer")
                          : fmt::format("{:>6.2f}x  {:<13}{:<9}", best->ratio,
                                        fmt::format("({:.2f}-{:.2f})", best->ratio_low, best->ratio_high), best->peer);
  text += fmt::format("{:>6.1f}% {:<4}", 100 * m.Limit() / m.ours().median, m.IsBoundByReads() ? "read" : "fma");
  if (m.cell.use != Use::kCall) {
    return text + Figures(m, libraries, [&m](const Entry& e) { return m.Gflops(e); }) + "\n";
  }
  text += Figures(m, libraries, [](const Entry& e) { return e.median * 1e9; }) + " ns\n";
  return text + fmt::format("{:<69}", "") +
         Figures(m, libraries, [&m](const Entry& e) { return e.median * 1e9 * m.clock; }) +
         fmt::format(" cycles of {:.2f} GHz\n", m.clock);
}

std::string Summary(const std::vector<Measurement>& measurements) {
  std::string text =
      "At limit: what the mean would be if each product took the least time that the machine allows.\n\n" +
      fmt::format("{:<28}{:>6}{:>10}{:>10}{:>8}\n", "time of the best peer / ours", "cells", "geomean", "at limit",
                  "worst");
  for (const ElementType type : {ElementType::kF32, ElementType::kF64}) text += MeansOf(measurements, type);

  std::vector<const Measurement*> behind;
  for (const Measurement& m : measurements) {
    if (!m.entries.empty() && m.BestPeer() != nullptr && Ratio(m) < 1) behind.push_back(&m);
  }
  std::sort(behind.begin(), behind.end(),
            [](const Measurement* x, const Measurement* y) { return Ratio(*x) < Ratio(*y); });
  text +=
      fmt::format("\n{} cells in which a peer is faster{}\n", behind.size(), behind.empty() ? "" : ", worst first:");
  if (behind.size() > kWorst) behind.resize(kWorst);
  for (const Measurement* m : behind) {
    const Entry& best = *m->BestPeer();
    text += fmt::format("{:>6.2f}x  {:<26}{} ({}): {:.1f} against {:.1f} GFLOP/s\n", best.ratio, m->cell.Name(),
                        best.peer, best.form, m->Gflops(best), m->Gflops(m->ours()));
  }
  return text;
}

std::string Json(const std::vector<std::pair<std::string, std::string>>& about,
                 const std::vector<Measurement>& measurements) {
  nlohmann::ordered_json json;
  for (const auto& [key, value] : about) json["about"][key] = value;
  json["cells"] = nlohmann::ordered_json::array();
  for (const Measurement& m : measurements) {
    nlohmann::ordered_json cell = {
        {"name", m.cell.Name()}, {"use", Name(m.cell.use)}, {"m", m.cell.m},           {"n", m.cell.n},
        {"k", m.cell.k},         {"peak_gflops", m.peak},   {"reads_gbytes", m.reads}, {"limit_ns", m.Limit() * 1e9},
        {"clock_ghz", m.clock},  {"wrong", m.wrong}};
    if (!m.entries.empty() && m.BestPeer() != nullptr) {
      cell["best_peer"] = m.BestPeer()->peer;
      cell["ratio"] = m.BestPeer()->ratio;
    }
    for (const Entry& e : m.entries) {
      const auto [low, high] = std::minmax_element(e.turns.begin(), e.turns.end());
      cell["libraries"].push_back({{"name", e.peer},
                                   {"form", e.form},
                                   {"median_ns", e.median * 1e9},
                                   {"min_ns", *low * 1e9},
                                   {"max_ns", *high * 1e9},
                                   {"gflops", m.Gflops(e)},
                                   {"ratio", e.ratio},
                                   {"ratio_quartiles", {e.ratio_low, e.ratio_high}}});
    }
    json["cells"].push_back(std::move(cell));
  }
  return json.dump(1) + "\n";
}

}  // namespace lanewise::peers
