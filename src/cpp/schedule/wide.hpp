// Numbers of twice the precision of a double, for steps and lengths that one double cannot hold:
// steps beyond 2^53, and cycles like 2000.1 + 999.7 steps, whose rounded sum drifts away from the
// true one. The error-free sums and products are Knuth's and Dekker's.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace clrfast {

// hi + lo, where hi is that sum rounded to a double. Where hi is infinite, lo is 0.
struct Wide {
  double hi;
  double lo;

  constexpr Wide(double high = 0.0, double low = 0.0) : hi(high), lo(low) {}

  // A whole number >= 0. The nearest double may be 2^63, which is no std::int64_t; the difference
  // is.
  static Wide whole(std::int64_t steps) {
    const double high = static_cast<double>(steps);
    if (high < 0x1p53) return {high};
    const auto rest = static_cast<std::uint64_t>(steps) - static_cast<std::uint64_t>(high);
    return {high, static_cast<double>(static_cast<std::int64_t>(rest))};
  }
};

// The exact sum of two doubles.
inline Wide sum(double a, double b) {
  const double s = a + b;
  if (!std::isfinite(s)) return {s};
  const double b_seen = s - a;
  return {s, (a - (s - b_seen)) + (b - b_seen)};
}

// The exact product of two doubles.
inline Wide product(double a, double b) {
  const double p = a * b;
  return {p, std::isfinite(p) ? std::fma(a, b, -p) : 0.0};
}

inline Wide operator-(const Wide& a) { return {-a.hi, -a.lo}; }

inline Wide operator+(const Wide& a, const Wide& b) {
  const Wide high = sum(a.hi, b.hi);
  if ((a.lo == 0.0 && b.lo == 0.0) || !std::isfinite(high.hi)) return high;
  const Wide low = sum(a.lo, b.lo);
  const Wide both = sum(high.hi, high.lo + low.hi);
  return sum(both.hi, both.lo + low.lo);
}

inline Wide operator-(const Wide& a, const Wide& b) { return a + (-b); }

inline Wide operator*(const Wide& a, double b) {
  const Wide high = product(a.hi, b);
  return std::isfinite(high.hi) ? sum(high.hi, high.lo + a.lo * b) : high;
}

inline bool operator<(const Wide& a, const Wide& b) {
  return a.hi < b.hi || (a.hi == b.hi && a.lo < b.lo);
}
inline bool operator>=(const Wide& a, const Wide& b) { return !(a < b); }
inline bool operator==(const Wide& a, const Wide& b) { return a.hi == b.hi && a.lo == b.lo; }

struct Division {
  std::int64_t times;  // at most 9.2e18
  Wide rest;
};

// How often `period` goes into `step`, and what remains, to the last bit of a Wide. For steps from
// 0 to 2^63 and periods that are finite and at least 2^-20.
inline Division divide(Wide step, const Wide& period) {
  if (step.lo == 0.0 && period.lo == 0.0 && step.hi < period.hi * 0x1p52) {
    const double rest = std::fmod(step.hi, period.hi);
    return {static_cast<std::int64_t>((step.hi - rest) / period.hi + 0.5), rest};
  }
  Wide times;
  // One round, a second where the quotient is beyond 2^53, and one where it was rounded up.
  while (step >= period || step.hi < 0.0) {
    const double quotient = step.hi / period.hi;
    const double q =
        step.hi < 0.0 ? std::min(std::ceil(quotient), -1.0) : std::max(std::floor(quotient), 1.0);
    step = (step - product(q, period.hi)) - product(q, period.lo);
    times = times + Wide(q);
  }
  constexpr double kMost = 9.2e18;
  if (times.hi >= kMost) return {static_cast<std::int64_t>(kMost), step};
  return {static_cast<std::int64_t>(times.hi) + static_cast<std::int64_t>(times.lo), step};
}

}  // namespace clrfast
