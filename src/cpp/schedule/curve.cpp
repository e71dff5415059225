#include "schedule/curve.hpp"

#include <cmath>

namespace clrfast {

namespace {

#include "schedule/weights.inl"

// (k / n) ** p, with the rounding of the quotient put back: p would multiply it.
double power_weight(double k, double n, double p) {
  const double x = k / n;
  if (x == 0.0) return 0.0;
  const double residue = std::fma(-x, n, k) / k;
  return std::pow(x, p) * (1.0 + p * residue);
}

// from * (to / from) ** (k / n), with the rounding of both quotients put back.
double geometric(double from, double to, double k, double n) {
  const double x = k / n;
  const double x_residue = std::fma(-x, n, k) / n;
  const double ratio = to / from;
  const double ratio_residue = std::fma(-ratio, from, to) / to;
  return from * (std::pow(ratio, x) * (1.0 + (x_residue * std::log(ratio) + x * ratio_residue)));
}

}  // namespace

double bent_value(const Curve& curve, double k, double r, double n) {
  const bool rising = curve.end >= curve.start;
  const double low = rising ? curve.start : curve.end;
  const double high = rising ? curve.end : curve.start;
  const double span = high - low;
  const double below = rising ? k : r;  // distance from the lower end
  const double above = rising ? r : k;  // distance from the higher end
  // Each half is measured from the end that it is nearer to, so neither cancels.
  const bool lower_half = below <= above;
  switch (curve.shape) {
    case Shape::constant:
    case Shape::linear:  // not called for lines
      return curve.start;
    case Shape::cosine:
      return lower_half ? low + span * cosine_weight(below, n)
                        : high - span * cosine_weight(above, n);
    case Shape::welch:
      return lower_half ? low + span * arch_weight(below, n)
                        : high - span * square_weight(above, n);
    case Shape::power: {
      const double weight = power_weight(below, n, curve.param);
      if (weight <= 0.5) return low + span * weight;
      return high + span * std::expm1(curve.param * std::log1p(-above / n));
    }
    case Shape::root: {
      const double root = std::sqrt(above / n);
      if (root > 0.5) return low + span * (below / n) / (1.0 + root);
      return high - span * root;
    }
    case Shape::exponential:
      return k <= r ? geometric(curve.start, curve.end, k, n)
                    : geometric(curve.end, curve.start, r, n);
    case Shape::inverse_root:
      return curve.start * std::sqrt(curve.param / (curve.param + k));
  }
  return curve.start;  // not reached: the cases above are all there are
}

}  // namespace clrfast
