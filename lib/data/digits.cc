// SPDX-License-Identifier: Apache-2.0
//
// Draws digits. Additions, multiplications, divisions and square roots of doubles only, which IEEE 754 rounds the same
// everywhere; sines and cosines come from a rational parametrisation.

#include "lanewise/data/digits.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <new>
#include <span>
#include <string>

#include "format.h"

#include "lanewise/random.h"

namespace lanewise {
namespace {

constexpr int kSide = 28;
constexpr int kPixels = kSide * kSide;

struct Point {
  double x, y;
};

// A quadratic Bezier curve, in a box of 1 x 1 with y downwards.
struct Curve {
  Point begin, control, end;
};

constexpr Curve Line(Point begin, Point end) { return {begin, {(begin.x + end.x) / 2, (begin.y + end.y) / 2}, end}; }

constexpr Curve kZero[] = {{{.50, .08}, {.80, .08}, {.80, .50}},
                           {{.80, .50}, {.80, .92}, {.50, .92}},
                           {{.50, .92}, {.20, .92}, {.20, .50}},
                           {{.20, .50}, {.20, .08}, {.50, .08}}};
constexpr Curve kOne[] = {Line({.36, .26}, {.56, .08}), Line({.56, .08}, {.56, .92})};
constexpr Curve kTwo[] = {{{.22, .30}, {.25, .08}, {.50, .08}},
                          {{.50, .08}, {.80, .08}, {.75, .35}},
                          {{.75, .35}, {.70, .55}, {.20, .92}},
                          Line({.20, .92}, {.80, .92})};
constexpr Curve kThree[] = {{{.25, .15}, {.75, .00}, {.73, .28}},
                            {{.73, .28}, {.70, .47}, {.42, .47}},
                            {{.42, .47}, {.80, .47}, {.78, .70}},
                            {{.78, .70}, {.75, .98}, {.22, .86}}};
constexpr Curve kFour[] = {Line({.60, .08}, {.18, .62}), Line({.18, .62}, {.85, .62}), Line({.65, .30}, {.65, .92})};
constexpr Curve kFive[] = {Line({.75, .08}, {.30, .08}),
                           Line({.30, .08}, {.27, .45}),
                           {{.27, .45}, {.80, .32}, {.78, .65}},
                           {{.78, .65}, {.75, .98}, {.22, .87}}};
constexpr Curve kSix[] = {{{.70, .10}, {.30, .15}, {.25, .65}},
                          {{.25, .65}, {.25, .92}, {.50, .92}},
                          {{.50, .92}, {.78, .92}, {.77, .68}},
                          {{.77, .68}, {.75, .45}, {.50, .45}},
                          {{.50, .45}, {.28, .45}, {.25, .65}}};
constexpr Curve kSeven[] = {Line({.20, .08}, {.80, .08}), {{.80, .08}, {.55, .45}, {.42, .92}}};
constexpr Curve kEight[] = {{{.50, .08}, {.74, .08}, {.72, .28}}, {{.72, .28}, {.70, .46}, {.50, .48}},
                            {{.50, .48}, {.78, .50}, {.78, .70}}, {{.78, .70}, {.78, .92}, {.50, .92}},
                            {{.50, .92}, {.22, .92}, {.22, .70}}, {{.22, .70}, {.22, .50}, {.50, .48}},
                            {{.50, .48}, {.30, .46}, {.28, .28}}, {{.28, .28}, {.26, .08}, {.50, .08}}};
constexpr Curve kNine[] = {{{.75, .32}, {.72, .08}, {.50, .08}},
                           {{.50, .08}, {.25, .08}, {.25, .32}},
                           {{.25, .32}, {.25, .55}, {.50, .55}},
                           {{.50, .55}, {.75, .55}, {.75, .32}},
                           {{.75, .32}, {.75, .75}, {.45, .92}}};
constexpr std::array<std::span<const Curve>, 10> kDigits = {kZero, kOne, kTwo,   kThree, kFour,
                                                            kFive, kSix, kSeven, kEight, kNine};

// How one sample is drawn. The ranges make a network of one hidden layer of 128 right on about 97 % of the test
// samples: neither nothing to learn nor beyond it.
class Hand {
 public:
  explicit Hand(Random& random) {
    const auto between = [&random](double low, double high) { return low + (high - low) * random.UniformDouble(); };
    // With t the tangent of half the angle, (1 - t^2, 2 t) / (1 + t^2) is (cosine, sine); 0.16 is about 18 degrees.
    const double t = between(-0.16, 0.16);
    const double cosine = (1 - t * t) / (1 + t * t);
    const double sine = 2 * t / (1 + t * t);
    const double shear = between(-0.35, 0.35);
    const double width = between(12, 20);
    const double height = between(16, 22);
    xx_ = width * cosine;
    xy_ = height * (shear * cosine - sine);
    yx_ = width * sine;
    yy_ = height * (shear * sine + cosine);
    x0_ = kSide / 2.0 + between(-2.5, 2.5);
    y0_ = kSide / 2.0 + between(-2.5, 2.5);
    for (double& bend : bends_) bend = between(-0.4, 0.4);
    half_stroke = between(0.5, 1.5);
    ink = between(0.5, 1);
    noise = between(0, 0.4);
  }

  // From the box of the curves to pixels: bent by a quadratic polynomial, then mapped affinely.
  Point Place(Point p) const {
    const double u = p.x - 0.5;
    const double v = p.y - 0.5;
    const double x = u + bends_[0] * u * v + bends_[1] * v * v;
    const double y = v + bends_[2] * u * v + bends_[3] * u * u;
    return {x0_ + xx_ * x + xy_ * y, y0_ + yx_ * x + yy_ * y};
  }

  double half_stroke;  // pixels
  double ink;          // the brightness of a stroke's middle
  double noise;        // the most that a pixel's brightness is off

 private:
  double xx_, xy_, yx_, yy_, x0_, y0_;
  std::array<double, 4> bends_;
};

double Distance(Point p, Point a, Point b) {
  const double dx = b.x - a.x;
  const double dy = b.y - a.y;
  const double length2 = dx * dx + dy * dy;
  const double along = length2 > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length2 : 0;
  const double t = std::clamp(along, 0.0, 1.0);
  const double x = p.x - (a.x + t * dx);
  const double y = p.y - (a.y + t * dy);
  return std::sqrt(x * x + y * y);
}

// The range of pixels whose centres lie within `reach` of [a, b], cut to the image.
std::pair<int, int> PixelRange(double a, double b, double reach) {
  const double low = std::clamp(std::min(a, b) - reach - 0.5, 0.0, static_cast<double>(kSide));
  const double high = std::clamp(std::max(a, b) + reach + 0.5, 0.0, static_cast<double>(kSide));
  return {static_cast<int>(low), static_cast<int>(high)};
}

// Covers pixels by a straight stroke with an edge that fades over one pixel.
void DrawSegment(Point a, Point b, double half_stroke, std::array<double, kPixels>& image) {
  const double reach = half_stroke + 0.5;
  const auto [left, right] = PixelRange(a.x, b.x, reach);
  const auto [top, bottom] = PixelRange(a.y, b.y, reach);
  for (int y = top; y < bottom; ++y) {
    double* row = &image[0] + y * kSide;
    for (int x = left; x < right; ++x) {
      const double covered = std::clamp(reach - Distance({x + 0.5, y + 0.5}, a, b), 0.0, 1.0);
      row[x] = std::max(row[x], covered);
    }
  }
}

void DrawCurve(const Curve& curve, const Hand& hand, std::array<double, kPixels>& image) {
  constexpr int kSegments = 6;  // shorter than 4 pixels each
  Point from = hand.Place(curve.begin);
  for (int i = 1; i <= kSegments; ++i) {
    const double t = static_cast<double>(i) / kSegments;
    const double a = (1 - t) * (1 - t);
    const double b = 2 * t * (1 - t);
    const double c = t * t;
    const Point to = hand.Place({a * curve.begin.x + b * curve.control.x + c * curve.end.x,
                                 a * curve.begin.y + b * curve.control.y + c * curve.end.y});
    DrawSegment(from, to, hand.half_stroke, image);
    from = to;
  }
}

// Draws a sample into kPixels bytes and returns its class.
std::int32_t DrawSample(Random random, std::uint8_t* pixels) {
  const std::size_t digit = static_cast<std::size_t>(random.Below(kDigits.size()));
  const Hand hand(random);
  std::array<double, kPixels> image = {};
  for (const Curve& curve : kDigits[digit]) DrawCurve(curve, hand, image);
  for (const double covered : image) {
    const double noise = hand.noise * (2 * static_cast<double>(random.UniformFloat()) - 1);
    const double brightness = std::clamp(hand.ink * covered + noise, 0.0, 1.0);
    // Not negative, so that this rounds; lround would be libm's.
    *pixels++ = static_cast<std::uint8_t>(brightness * 255 + 0.5);  // NOLINT(bugprone-incorrect-roundings)
  }
  return static_cast<std::int32_t>(digit);
}

}  // namespace

Result<Dataset> GenerateDigits(std::ptrdiff_t count, std::uint64_t seed, Split split) {
  constexpr std::ptrdiff_t kMost = std::numeric_limits<std::uint32_t>::max();  // what a stream's index can number
  if (count < 1 || count > kMost) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{} digits are asked for; from 1 to {} can be drawn", count, kMost));
  }
  const Stream stream = split == Split::kTrain ? Stream::kDigitsTrain : Stream::kDigitsTest;
  try {
    Dataset dataset;
    dataset.samples = count;
    dataset.features = kPixels;
    dataset.image_rows = kSide;
    dataset.image_cols = kSide;
    dataset.classes = 10;
    for (int i = 0; i < 10; ++i) dataset.class_names.push_back(std::to_string(i));
    dataset.bytes.resize(static_cast<std::size_t>(count) * kPixels);
    dataset.labels.reserve(static_cast<std::size_t>(count));
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      dataset.labels.push_back(
          DrawSample(Random(seed, stream, static_cast<std::uint32_t>(i)), &dataset.bytes[0] + i * kPixels));
    }
    return dataset;
  } catch (const std::bad_alloc&) {
    return Status(StatusCode::kOutOfMemory, Format("no memory for {} digits", count));
  }
}

}  // namespace lanewise
