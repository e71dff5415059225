// How far a curve has left one of its ends, as a share of its span: 0 at that end, 1 at the other.
//
// k is the distance from that end and n the length of the curve, both in steps. Every weight is small
// where k is small and is computed without cancellation, so that its relative error is a few rounding
// errors everywhere. k * k and n * n are exact below 2^53, which spares two of them.
//
// This file is included inside a namespace of its own by each user, because one copy is compiled for
// each instruction set and the linker must never swap them.

static inline double linear_weight(double k, double n) { return k / n; }

static inline double square_weight(double k, double n) { return (k * k) / (n * n); }

// 1 - (1 - x)^2, the lower half of a parabola that is flat at its top.
static inline double arch_weight(double k, double n) { return (k * (2.0 * n - k)) / (n * n); }

// sin^2(pi x / 2), for x <= 1/2. The coefficients interpolate sin^2(pi sqrt(z) / 2) / z at the Chebyshev
// nodes of [0, 1/4], with a relative error below 2e-17 before rounding.
static inline double cosine_weight(double k, double n) {
  const double z = square_weight(k, n);
  // In pairs, so that fewer operations wait for each other; the two largest terms come last, as in Horner's
  // scheme, because their rounding is what counts.
  const double z2 = z * z;
  const double high = (-0.000964781326239933 + 5.2291431841632926e-05 * z) - 2.0831997313634743e-06 * z2;
  const double low = (0.6676313844259402 - 0.11766531513607885 * z) + 0.012903445012937696 * z2;
  const double tail = low + high * (z2 * z);
  const double q = 2.4674011002723395 + (tail * z - 2.029356063208368) * z;
  return q * z;
}
