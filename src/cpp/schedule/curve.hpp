// One curve: how a value goes from `start` to `end`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace clrfast {

enum class Shape : std::uint8_t {
  constant,      // start
  linear,        //
  cosine,        // half a cosine period, flat at both ends (Hann)
  welch,         // a quarter of a parabola, flat at the higher end
  power,         // (distance from the lower end) ** param
  root,          // leaves the higher end like 1 - sqrt(x)
  rex,           // (1 - x) / (1 - x / 2), seen from the higher end
  exponential,   // geometric: equal ratios in equal times
  inverse_root,  // start * sqrt(param / (param + k)), without an end
  power_law,     // start * k ** param, param < 0, without an end, and at most kHuge where k is 0
};

// No value of a schedule that grows without bounds is further from 0: there is room left for the
// sums and products that are made of it.
constexpr double kHuge = 0x1p1000;

struct Curve {
  Shape shape;
  double start;
  double end;
  double param = 0.0;
};

// The value with its distance from `floor` multiplied. A factor of 1 changes no bit.
inline double scaled(double value, double factor, double floor) {
  if (factor == 1.0) return value;
  constexpr double kMost = std::numeric_limits<double>::max();
  const double distance = std::min(std::max(value - floor, -kMost), kMost);
  return std::min(std::max(floor + factor * distance, -kHuge), kHuge);
}

// The curve whose ends are scaled.
inline Curve scaled(Curve curve, double factor, double floor) {
  curve.start = scaled(curve.start, factor, floor);
  curve.end = scaled(curve.end, factor, floor);
  return curve;
}

// Whether the shape may last forever.
constexpr bool endless(Shape shape) {
  return shape == Shape::constant || shape == Shape::inverse_root || shape == Shape::power_law;
}

// Whether the curve between moved ends is the moved curve, as all are that weigh their ends.
constexpr bool follows_its_ends(Shape shape) {
  return shape != Shape::exponential && shape != Shape::inverse_root && shape != Shape::power_law;
}

// The value k steps after the start and r steps before the end of a curve that lasts n = k + r
// steps. Both distances are given since each is exact where it is computed in integers. Exact at
// both ends, and within 4 ulp between ends of one sign. Does not throw.
double curve_value(const Curve& curve, double k, double r, double n);

// The same for the shapes that are not lines.
double bent_value(const Curve& curve, double k, double r, double n);

// That of a power, whose exponent multiplies what k / n and r / n lost to rounding, given as
// shares.
double power_value(const Curve& curve, double k, double r, double n, double k_lost, double r_lost);

// Inline for the lines that most calls evaluate: a call would cost as much as their division.
inline double curve_value(const Curve& curve, double k, double r, double n) {
  if (curve.shape != Shape::linear) return bent_value(curve, k, r, n);
  // Taken from the nearer end, so that nothing cancels and both ends are met exactly.
  const bool from_start = curve.end >= curve.start ? k <= r : k < r;
  return from_start ? curve.start + (curve.end - curve.start) * (k / n)
                    : curve.end - (curve.end - curve.start) * (r / n);
}

}  // namespace clrfast
