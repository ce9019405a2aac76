// SPDX-License-Identifier: Apache-2.0
//
// The search for the errors of double functions: its reference against MPFR, planted errors, and a short search whose
// first blocks must give the bits that the certificates attest.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "doctest/doctest.h"
#include "format.h"
#include "lanewise/accuracy.h"
#include "nlohmann/json.hpp"
#include "tiers.h"

#ifdef LANEWISE_HAVE_MPFR
#include <mpfr.h>
#endif
#define XXH_INLINE_ALL
#include "xxhash.h"

namespace lanewise::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::uint64_t Hash(const void* bytes, std::size_t size) { return XXH3_128bits(bytes, size).low64; }

WideValue Reference(Function function, double x) {
  WideValue y;
  ReferenceValues(function, &x, &y, 1);
  return y;
}

double Rounded(const WideValue& value) {
  const double y = std::ldexp(value.high, value.exponent);
  if (!std::isfinite(y) || y == 0) return y;
  // A denormal result drops bits of `high`: `low` decides where those are half way.
  const double rest = value.high - std::ldexp(y, -value.exponent);
  const double next = std::nextafter(y, std::copysign(kInfinity, rest));
  const double rest_of_next = value.high - std::ldexp(next, -value.exponent);
  return std::fabs(rest_of_next + value.low) < std::fabs(rest + value.low) ? next : y;
}

// Nothing is more accurate.
CandidateOf<double> Nearest(Function function) {
  return {"nearest", [function](const double* x, double* y, std::size_t n) {
            std::vector<WideValue> exact(n);
            ReferenceValues(function, x, exact.data(), n);
            for (std::size_t i = 0; i < n; ++i) y[i] = Rounded(exact[i]);
          }};
}

#ifdef LANEWISE_HAVE_MPFR

constexpr mpfr_prec_t kPrecision = 300;

class Number {
 public:
  explicit Number(double value = 0) {
    mpfr_init2(value_, kPrecision);
    mpfr_set_d(value_, value, MPFR_RNDN);
  }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  ~Number() { mpfr_clear(value_); }
  mpfr_ptr get() { return value_; }

 private:
  mpfr_t value_;
};

void Exact(Function function, double x, Number& y) {
  const Number in(x);
  mpfr_ptr v = y.get();
  mpfr_set_d(v, x, MPFR_RNDN);
  switch (function) {
    case Function::kExp:
      mpfr_exp(v, v, MPFR_RNDN);
      return;
    case Function::kLog:
      mpfr_log(v, v, MPFR_RNDN);
      return;
    case Function::kLog1p:
      mpfr_log1p(v, v, MPFR_RNDN);
      return;
    case Function::kSigmoid:
      mpfr_neg(v, v, MPFR_RNDN);
      mpfr_exp(v, v, MPFR_RNDN);
      mpfr_add_ui(v, v, 1, MPFR_RNDN);
      mpfr_ui_div(v, 1, v, MPFR_RNDN);
      return;
    case Function::kTanh:
      mpfr_tanh(v, v, MPFR_RNDN);
      return;
    case Function::kRelu:
      if (x < 0) mpfr_set_zero(v, 1);
      return;
    case Function::kLeakyRelu:
      if (x < 0) mpfr_mul_d(v, v, 0.01, MPFR_RNDN);
      return;
  }
}

// The relative error of the reference.
double ErrorOfReference(Function function, double x) {
  const WideValue y = Reference(function, x);
  Number exact;
  Exact(function, x, exact);
  if (!std::isfinite(y.high) || y.high == 0) {
    const double rounded = mpfr_get_d(exact.get(), MPFR_RNDN);
    return std::isnan(y.high) ? (std::isnan(rounded) ? 0 : kInfinity) : y.high == rounded ? 0 : kInfinity;
  }
  Number value(y.high);
  mpfr_add_d(value.get(), value.get(), y.low, MPFR_RNDN);
  mpfr_mul_2si(value.get(), value.get(), y.exponent, MPFR_RNDN);
  mpfr_sub(value.get(), value.get(), exact.get(), MPFR_RNDN);
  mpfr_div(value.get(), value.get(), exact.get(), MPFR_RNDN);
  return std::fabs(mpfr_get_d(value.get(), MPFR_RNDN));
}

TEST_CASE("the reference is MPFR's to 2^-95") {
  std::vector<double> x(kSearchBlock);
  for (Function function : kFunctions) {
    INFO(std::string(Name(function)));
    SearchBlock(function, 12345, x.data());
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); i += 4) {
      // Beyond 1000 e^x is clamped, where the result is 0 or infinite all the same.
      if ((function == Function::kExp || function == Function::kSigmoid) && std::fabs(x[i]) > 1000) continue;
      const double error = ErrorOfReference(function, x[i]);
      CAPTURE(x[i]);
      if (error > worst) REQUIRE(error <= 0x1p-95);
      worst = std::max(worst, error);
    }
    MESSAGE("2^" << std::log2(worst));
  }
}

#endif  // LANEWISE_HAVE_MPFR

TEST_CASE("infinities, zeros and NaN of the reference") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (Function function : kFunctions) CHECK(std::isnan(Reference(function, nan).high));
  CHECK(Reference(Function::kLog, 0).high == -kInfinity);
  CHECK(Reference(Function::kLog, kInfinity).high == kInfinity);
  CHECK(std::isnan(Reference(Function::kLog, -1).high));
  CHECK(Reference(Function::kLog1p, -1).high == -kInfinity);
  CHECK(std::isnan(Reference(Function::kLog1p, -1.5).high));
  CHECK(Reference(Function::kLog1p, kInfinity).high == kInfinity);
  for (Function function : {Function::kLog1p, Function::kTanh}) CHECK(std::signbit(Reference(function, -0.0).high));
  CHECK(Reference(Function::kTanh, -kInfinity).high == -1);
  CHECK(Reference(Function::kSigmoid, kInfinity).high == 1);
  const WideValue huge = Reference(Function::kExp, kInfinity);
  CHECK(std::ldexp(huge.high, huge.exponent) == kInfinity);
}

Accuracy SearchOne(Function function, const CandidateOf<double>& candidate, std::size_t blocks, Executor& executor) {
  SweepOptions options;
  options.hash = Hash;
  const auto found = Search(function, {&candidate, 1}, blocks, executor, options);
  REQUIRE_MESSAGE(found.ok(), found.status().message());
  return found->front();
}

TEST_CASE("rounded reference values are nearest and in range") {
  SerialExecutor executor;
  for (Function function : kFunctions) {
    INFO(std::string(Name(function)));
    const Accuracy found = SearchOne(function, Nearest(function), 2, executor);
    CHECK(found.max_ulp <= 0.5 + 0x1p-40);
    CHECK(found.not_nearest == 0);
    CHECK(found.out_of_range == 0);
  }
}

// The nearest results, but for magnitudes around 3: wrong by `factor`, or `value`.
TEST_CASE("planted errors are found, and their surroundings searched") {
  SerialExecutor executor;
  const auto planted = [](auto wrong) {
    return CandidateOf<double>{"planted",
                               [=, nearest = Nearest(Function::kSigmoid)](const double* x, double* y, std::size_t n) {
                                 nearest.run(x, y, n);
                                 for (std::size_t i = 0; i < n; ++i) {
                                   if (x[i] > 3 && x[i] < 3.01) y[i] = wrong(x[i], y[i]);
                                 }
                               }};
  };
  // 5 units too large at 3.005, less on both sides: the search climbs.
  const auto hill = [](double x, double y) { return y * (1 + 5 * 0x1p-53 * (1 - std::fabs(x - 3.005) / 0.005)); };
  const Accuracy climbed = SearchOne(Function::kSigmoid, planted(hill), 32, executor);
  CHECK(climbed.max_ulp > 4);
  CHECK(std::fabs(std::bit_cast<double>(climbed.worst_input) - 3.005) < 0.002);
  CHECK(climbed.not_nearest > 0);

  const auto out_of_range = [](double /*x*/, double /*y*/) { return 1 + 0x1p-52; };
  CHECK(SearchOne(Function::kSigmoid, planted(out_of_range), 8, executor).out_of_range > 0);
  const auto infinite = [](double /*x*/, double /*y*/) { return kInfinity; };
  CHECK(std::isinf(SearchOne(Function::kSigmoid, planted(infinite), 8, executor).max_ulp));
}

TEST_CASE("threads change nothing, and a search can be ended") {
  SerialExecutor serial;
  ThreadPool pool(3);
  const CandidateOf<double> kernel = Implementation<double>(Function::kTanh, KernelsOf(Tier::kPortable));
  const Accuracy one = SearchOne(Function::kTanh, kernel, 11, serial);
  const Accuracy three = SearchOne(Function::kTanh, kernel, 11, pool);
  CHECK(one.max_ulp == three.max_ulp);
  CHECK(one.worst_input == three.worst_input);
  CHECK(one.not_nearest == three.not_nearest);
  CHECK(one.hashes == three.hashes);

  SweepOptions options;
  options.progress = [](double) { return false; };
  CHECK(!Search(Function::kTanh, {&kernel, 1}, 11, pool, options).ok());
  CHECK(Search(Function::kTanh, {&kernel, 1}, 0, pool).ok());
}

TEST_CASE("every tier keeps its bound, and gives the results that its certificates attest") {
  constexpr std::size_t kBlocks = LANEWISE_EMULATED ? 2 : 12;
  ThreadPool pool;
  for (Function function : kFunctions) {
    CHECK(IsCorrectlyRounded(function) == (MaxUlp<double>(function, NumericClass::kFma) <= 0.5));
    if (IsCorrectlyRounded(function)) continue;
    const std::string path = Format("{}/{}_f64.json", LANEWISE_CERTIFICATES, Name(function));
    INFO(path);
    std::ifstream file(path);
    REQUIRE(file);
    const auto certificate = nlohmann::json::parse(file);
    ForEachTier([&](Tier tier, const kernels::KernelTable& /*table*/) {
      const auto& classes = certificate.at("classes");
      const auto entry = std::find_if(classes.begin(), classes.end(),
                                      [tier](const auto& c) { return c.at("class") == Name(ClassOf(tier)); });
      REQUIRE(entry != classes.end());
      const double bound = MaxUlp<double>(function, ClassOf(tier));
      CHECK(entry->at("max_ulp").template get<double>() <= bound);
      CHECK(entry->at("out_of_range") == 0);
      const Accuracy found = SearchOne(function, Implementation<double>(function, KernelsOf(tier)), kBlocks, pool);
      CHECK(found.max_ulp <= bound);
      CHECK(found.out_of_range == 0);
      const std::string line = entry->at("blocks").at(0);
      REQUIRE(found.hashes.size() == kBlocks / 2);
      for (std::size_t i = 0; i < found.hashes.size(); ++i) {
        CAPTURE(i);
        CHECK(Format("{:08x}", found.hashes[i] & 0xFFFFFFFF) == line.substr(i * 8, 8));
      }
    });
  }
}

}  // namespace
}  // namespace lanewise::test
