// SPDX-License-Identifier: Apache-2.0
//
// Other libraries' elementwise functions, as arrays to arrays. Each file of peers has one function that lists what it
// offers; those compiled for the building machine's instruction sets see nothing of Lanewise but this header.

#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace lanewise::peers {

struct FunctionPeer {
  std::string library;   // "SLEEF u10"
  std::string function;  // "exp"
  std::function<void(const float* x, float* y, std::size_t n)> run;
  // The seconds that so many runs take, where calling from here would take longer than the run. Null: it does not.
  std::function<double(const float* x, std::size_t n, int times)> seconds = nullptr;
};

// softmax and log_softmax of each row of a dense matrix.
struct RowPeer {
  std::string library;
  std::string function;
  std::function<void(const float* x, float* y, std::size_t rows, std::size_t cols)> run;
};

// SLEEF, glibc's libmvec, Highway's contrib/math, Eigen: whichever were found; none but on x86.
std::vector<FunctionPeer> NativeFunctions();

// MKL's vector mathematics; none if MKL was not found.
std::vector<FunctionPeer> MklFunctions();

// oneDNN's primitives; none if oneDNN was not found.
std::vector<FunctionPeer> OneDnnFunctions();
std::vector<RowPeer> OneDnnRows();

// NumPy's and numexpr's, in a Python process of their own; none, and a line on stderr, where they are not installed.
std::vector<FunctionPeer> PythonFunctions();

}  // namespace lanewise::peers
