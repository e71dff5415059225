// How arrays are filled: the steps that follow each other within one piece go through the vector
// kernels, whose arithmetic is that of curve_value().
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "schedule/schedule.hpp"
#include "simd/level.hpp"

namespace clrfast {

namespace {

template <class Out>
Fill<Out> kernel(Shape shape, bool lower_half) {
  const FillsOf<Out>& fill = simd::level().fill.into(static_cast<const Out*>(nullptr));
  switch (shape) {
    case Shape::linear:
      return fill.linear;
    case Shape::cosine:
      return fill.cosine;
    case Shape::welch:
      return lower_half ? fill.arch : fill.square;
    default:
      return nullptr;
  }
}

// The values of `n` whole steps within one curve, the first of them k after its start and r before
// its end: the same arithmetic as curve_value.
template <class Out>
void fill_curve(const Curve& curve, double k, double r, double length, int n, Out* out) {
  if (curve.shape == Shape::constant) {
    std::fill(out, out + n, static_cast<Out>(curve.start));
    return;
  }
  if (kernel<Out>(curve.shape, true) == nullptr) {
    for (int i = 0; i < n; ++i) {
      out[i] = static_cast<Out>(curve_value(curve, k + i, r - i, length));
    }
    return;
  }
  const bool rising = curve.end >= curve.start;
  const double low = rising ? curve.start : curve.end;
  const double high = rising ? curve.end : curve.start;
  const double span = high - low;
  const auto fill_half = [&](int begin, int end, bool first_half) {
    if (begin == end) return;
    const bool lower = first_half == rising;
    const double distance = first_half ? k + begin : r - begin;
    kernel<Out>(curve.shape, lower)(out + begin, end - begin, distance, first_half ? 1.0 : -1.0,
                                    length, lower ? low : high, lower ? span : -span);
  };
  // A value right in the middle is taken from the lower end.
  const double gap = (r - k) * 0.5;
  const double middle = rising ? std::floor(gap) + 1.0 : std::ceil(gap);
  const int half = static_cast<int>(std::min(std::max(middle, 0.0), static_cast<double>(n)));
  fill_half(0, half, true);
  fill_half(half, n, false);
}

}  // namespace

// Fills the steps that follow each other within one piece, before the map, and says how many those
// were.
template <class Out>
std::size_t Evaluator::fill_run(std::int64_t step, std::size_t n, Out* out) const {
  const auto first = static_cast<std::uint64_t>(step);
  if (first >= whole_total) {
    std::fill(out, out + n, static_cast<Out>(whole_value(step)));
    return n;
  }
  const auto one_by_one = [&] {
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = static_cast<Out>(whole_value(step + static_cast<std::int64_t>(i)));
    }
    return n;
  };
  if (first >= whole_until || per == Per::step) return one_by_one();
  const Spot<std::int64_t> spot = locate(step, false);
  // The kernels count in 32 bits, and positions beyond 2^53 cannot be counted up in double.
  constexpr std::size_t kMost = std::size_t{1} << 30;
  n = std::min({n, kMost, spot.r < 1e9 ? static_cast<std::size_t>(spot.r) : kMost});
  if (spot.piece->nested) {
    if (spot.factor != 1.0) return one_by_one();
    spot.piece->nested->evaluator().fill(spot.since, n, out);
  } else {
    const Shape shape = spot.piece->curve.shape;
    const bool moved = spot.factor == 1.0 || follows_its_ends(shape);
    if (spot.k > 9e15 || !moved) return one_by_one();
    fill_curve(scaled(spot.piece->curve, spot.factor, floor), spot.k, spot.r, spot.n,
               static_cast<int>(n), out);
  }
  return n;
}

template <class Out>
void Evaluator::fill_mapped(std::int64_t step, std::size_t n, Out* out) const {
  constexpr std::size_t kCached = 2048;  // mapped while it is still in the first-level cache
  const double scale = map.scale, shift = map.shift, low = map.low, high = map.high;
  const auto write = [&](const double* values, std::size_t m) {
    for (std::size_t i = 0; i < m; ++i) {
      out[i] = static_cast<Out>(std::min(std::max(values[i] * scale + shift, low), high));
    }
  };
  while (n > 0) {
    std::size_t m = 0;
    if constexpr (std::is_same_v<Out, double>) {
      m = fill_run(step, std::min(n, kCached), out);
      write(out, m);
    } else {
      // Floats are rounded once, at the end. What is nested fills this block of doubles in place,
      // so that there is never a second one on the stack.
      double block[kCached];
      m = fill_run(step, std::min(n, kCached), block);
      write(block, m);
    }
    step += static_cast<std::int64_t>(m);
    out += m;
    n -= m;
  }
}

template <class Out>
void Evaluator::fill(std::int64_t step, std::size_t n, Out* out) const {
  if (!map.changes_nothing()) {
    fill_mapped(step, n, out);
    return;
  }
  while (n > 0) {
    const std::size_t m = fill_run(step, n, out);
    step += static_cast<std::int64_t>(m);
    out += m;
    n -= m;
  }
}

template void Evaluator::fill(std::int64_t, std::size_t, double*) const;
template void Evaluator::fill(std::int64_t, std::size_t, float*) const;

}  // namespace clrfast
