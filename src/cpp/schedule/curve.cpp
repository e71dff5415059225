#include "schedule/curve.hpp"

#include <algorithm>
#include <cmath>

namespace clrfast {

namespace {

#include "schedule/weights.inl"

// k / n and, as a share of it, what it lost to rounding: a power multiplies that.
struct Ratio {
  double value;
  double lost;
};

Ratio ratio(double k, double n) {
  const double x = k / n;
  return {x, x > 0.0 ? std::fma(-x, n, k) / k : 0.0};
}

double power_weight(const Ratio& x, double p) {
  const double lost = p * x.lost;
  return std::pow(x.value, p) * (std::abs(lost) < 0x1p-27 ? 1.0 + lost : std::exp(lost));
}

// from * (to / from) ** (k / n) for k <= n / 2, with the rounding of both quotients put back.
double geometric(double from, double to, double k, double n) {
  const double x = k / n;
  const double x_lost = std::fma(-x, n, k) / n;
  const double whole = to / from;
  if (whole >= 0x1p-1000 && whole <= 0x1p1000) {
    const double whole_lost = std::fma(-whole, from, to) / to;
    return from * (std::pow(whole, x) * (1.0 + (x_lost * std::log(whole) + x * whole_lost)));
  }
  // The quotient of such ends may be no number, but its root is one. What that lost is found near
  // 1, where no digit is cut off.
  const double root = std::sqrt(to) / std::sqrt(from);
  const double scale = to < 1.0 ? 0x1p300 : 0x1p-300;
  const double middle = root * from;
  const double middle_lost = std::fma(root, from, -middle) * scale;
  const double end = root * (middle * scale);
  const double end_lost = std::fma(root, middle * scale, -end) + root * middle_lost;
  const double root_lost = 0.5 * (((to * scale - end) - end_lost) / (to * scale));
  const double power = std::pow(root, 2.0 * x);
  return from * (power * (1.0 + 2.0 * (x_lost * std::log(root) + x * root_lost)));
}

}  // namespace

double power_value(const Curve& curve, double k, double r, double n, double k_lost, double r_lost) {
  const bool rising = curve.end >= curve.start;
  const double low = rising ? curve.start : curve.end;
  const double high = rising ? curve.end : curve.start;
  const double p = curve.param;
  Ratio below = rising ? ratio(k, n) : ratio(r, n);  // the share that is left to the lower end
  Ratio above = rising ? ratio(r, n) : ratio(k, n);
  below.lost += rising ? k_lost : r_lost;
  above.lost += rising ? r_lost : k_lost;
  const double weight = power_weight(below, p);
  if (weight <= 0.5) return low + (high - low) * weight;
  // weight - 1 without cancellation: the logarithm is taken from the end that is nearer.
  const double logarithm = above.value <= below.value
                               ? std::log1p(-above.value) - above.value * above.lost / below.value
                               : std::log(below.value) + below.lost;
  return high + (high - low) * std::expm1(p * logarithm);
}

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
    case Shape::power:
      return power_value(curve, k, r, n, 0.0, 0.0);
    case Shape::root: {
      const double root = std::sqrt(above / n);
      if (root > 0.5) return low + span * (below / n) / (1.0 + root);
      return high - span * root;
    }
    case Shape::rex: {
      const double whole = n + below;
      if (2.0 * below <= above) return low + span * (2.0 * below / whole);
      return high - span * (above / whole);
    }
    case Shape::exponential:
      return k <= r ? geometric(curve.start, curve.end, k, n)
                    : geometric(curve.end, curve.start, r, n);
    case Shape::inverse_root:  // two roots, for the quotient may be too small for all its digits
      return curve.start * (std::sqrt(curve.param) / std::sqrt(curve.param + k));
    case Shape::power_law:
      return std::min(curve.start * std::pow(k, curve.param), kHuge);
  }
  return curve.start;  // not reached: the cases above are all there are
}

}  // namespace clrfast
