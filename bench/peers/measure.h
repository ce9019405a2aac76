// SPDX-License-Identifier: Apache-2.0
//
// How a cell of the grid is measured: the same data for all, results compared with a reference, then rounds in which
// each library has its turn, so that what disturbs the machine disturbs all of them.

#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "grid.h"
#include "lanewise/tier.h"
#include "peer.h"

namespace lanewise::peers {

struct Pace {
  int rounds;
  double seconds;  // of each library's turn, at least
};

// One library in one cell. Times are of one product, in seconds.
struct Entry {
  std::string peer;
  std::string form;                // the fastest of the library's ways
  std::vector<double> turns = {};  // by round
  double median = 0;
  // Of the time over that of Lanewise in the same round: median and quartiles.
  double ratio = 1, ratio_low = 1, ratio_high = 1;
};

struct Measurement {
  Cell cell;
  double peak = 0;                      // GFLOP/s, of all threads, around this cell
  double reads = 0;                     // GB/s likewise, from an array as large as the two matrices
  double clock = 0;                     // GHz
  std::vector<Entry> entries = {};      // Lanewise first, then those of the peers that can compute the cell
  std::vector<std::string> wrong = {};  // "LIBRARY (form): what is wrong"

  const Entry& ours() const { return entries.front(); }
  const Entry* BestPeer() const;  // null if there is none
  // The least time that the cell can take, in seconds: that of its multiply-adds at the peak, or of reading its
  // matrices.
  double Limit() const { return std::max(cell.flops() / peak, cell.bytes() / reads) * 1e-9; }
  bool IsBoundByReads() const { return cell.bytes() / reads > cell.flops() / peak; }
  double Gflops(const Entry& entry) const { return cell.flops() / entry.median * 1e-9; }
};

// `libraries` has Lanewise first.
Measurement Measure(const Cell& cell, const std::vector<std::unique_ptr<Peer>>& libraries, Tier tier, int threads,
                    const Pace& pace);

}  // namespace lanewise::peers
