// The evaluator of all schedules: find the cycle, find the piece, take the curve's value.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "schedule/table.hpp"
#include "simd/kernels.hpp"

namespace clrfast {

// Where a step falls. T is int64_t on tables whose pieces begin on whole steps: then every distance
// is exact however far the step is, since it is measured from the piece's own ends.
template <class T>
struct View::Spot {
  const Piece* piece;
  T position;  // in its cycle, where the piece begins at
  T first;
  T k;  // steps since the piece's start
  T r;  // steps until its end
  double n;
  double factor;
  bool left;
};

namespace {

template <class T>
T whole(double steps) {
  if constexpr (std::is_integral_v<T>) {
    return std::isinf(steps) ? std::numeric_limits<T>::max() : static_cast<T>(steps);
  } else {
    return steps;
  }
}

// The curve with the distance of its ends from `floor` multiplied. A factor of 1 changes no bit.
Curve scaled(Curve curve, double factor, double floor) {
  if (factor != 1.0) {
    curve.start = floor + factor * (curve.start - floor);
    curve.end = floor + factor * (curve.end - floor);
  }
  return curve;
}

}  // namespace

template <class T>
double View::factor(T step, std::int64_t cycle) const {
  if (per == Scaling::Per::none) return 1.0;
  const bool by_cycle = per == Scaling::Per::cycle;
  if (factors != nullptr) {
    const double index = by_cycle ? static_cast<double>(cycle) : static_cast<double>(step);
    const double last = static_cast<double>(factor_count - 1);
    return factors[static_cast<std::size_t>(std::min(index, last))];
  }
  return std::pow(gamma, by_cycle ? static_cast<double>(cycle) : static_cast<double>(step));
}

template <class T>
View::Spot<T> View::locate(T step, bool left) const {
  if (static_cast<double>(step) >= total) {
    step = whole<T>(total);
    left = true;
  }
  std::int64_t cycle = 0;
  T position = step;
  double cycle_length = length;
  if (starts != nullptr) {
    const auto reached = [left](T s, std::int64_t start) {
      return left ? s <= static_cast<T>(start) : s < static_cast<T>(start);
    };
    const std::int64_t* next = std::upper_bound(starts, starts + start_count, step, reached);
    if (next == starts) ++next;                // the left limit at 0 is the value
    if (next == starts + start_count) --next;  // past the last cycle that fits
    cycle = next - starts - 1;
    position = step - static_cast<T>(starts[cycle]);
    cycle_length = static_cast<double>(starts[cycle + 1] - starts[cycle]);
  } else if (cycles != 1) {
    const T period = whole<T>(length);
    if constexpr (std::is_integral_v<T>) {
      using U = std::uint64_t;  // an unsigned division is the cheaper one, and no step is negative
      cycle = static_cast<T>(static_cast<U>(step) / static_cast<U>(period));
      position = step - cycle * period;
    } else {
      position = std::fmod(step, period);
      cycle = static_cast<std::int64_t>(std::min(std::round((step - position) / period), 9.2e18));
    }
    if (left && position == 0 && cycle > 0) {
      --cycle;
      position = period;
    }
  }
  const double stretch = starts == nullptr ? 1.0 : cycle_length / length;
  const Piece* piece = pieces;
  if (count > 1) {
    const double place =
        stretch == 1.0 ? static_cast<double>(position) : static_cast<double>(position) / stretch;
    const Piece* end = pieces + count;
    if (count == 2) {
      piece += left ? place > pieces[1].first : place >= pieces[1].first;
    } else if (left) {
      piece = std::lower_bound(pieces + 1, end, place,
                               [](const Piece& p, double x) { return p.first < x; }) -
              1;
    } else {
      piece = std::upper_bound(pieces + 1, end, place,
                               [](double x, const Piece& p) { return x < p.first; }) -
              1;
    }
  }
  const double n = count == 1 ? cycle_length : piece->curve.length * stretch;
  const T first = whole<T>(piece->first * stretch);
  const T k = position - first;
  return {piece, position, first, k, whole<T>(n) - k, n, factor(step, cycle), left};
}

template <class T>
double View::value(const Spot<T>& spot) const {
  if (spot.piece->nested) {
    const bool at_end = spot.left && spot.r == 0;
    const double inner = spot.piece->nested->view().at(spot.k, at_end);
    return spot.factor == 1.0 ? inner : floor + spot.factor * (inner - floor);
  }
  const Curve curve = scaled(spot.piece->curve, spot.factor, floor);
  return curve_value(curve, static_cast<double>(spot.k), static_cast<double>(spot.r), spot.n);
}

double View::mapped(double v) const {
  return std::min(std::max(v * map.scale + map.offset, map.low), map.high);
}

template <class T>
double View::at(T step, bool left) const {
  if constexpr (std::is_integral_v<T>) {
    // Stretched cycles of several pieces, and pieces of fractional length, have no whole joins.
    if (!integral || (starts != nullptr && count > 1)) return at(static_cast<double>(step), left);
  }
  return mapped(value(locate(step, left)));
}

namespace {

template <class Out>
simd::Fill<Out> kernel(Shape shape, bool lower_half) {
  const simd::FillKernels<Out>& fill = simd::kernels().fill(static_cast<Out*>(nullptr));
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

// The values of `n` whole steps within one curve, from `position` on: the arithmetic of
// curve_value.
template <class Out>
void fill_curve(const Curve& curve, double position, double first, double length, int n, Out* out) {
  const bool rising = curve.end >= curve.start;
  const double low = rising ? curve.start : curve.end;
  const double high = rising ? curve.end : curve.start;
  const double span = high - low;
  if (curve.shape == Shape::constant) {
    std::fill(out, out + n, static_cast<Out>(curve.start));
    return;
  }
  if (kernel<Out>(curve.shape, true) == nullptr) {
    for (int i = 0; i < n; ++i) {
      const double k = (position + i) - first;
      out[i] = static_cast<Out>(curve_value(curve, k, length - k, length));
    }
    return;
  }
  // The first half of a rising curve is its lower one, as the second half of a falling curve is.
  const auto in_first_half = [=](double i) {
    const double k = (position + i) - first;
    const double r = length - k;
    return rising ? k <= r : !(r <= k);
  };
  double middle = std::min(std::max(std::floor(length * 0.5 + first - position), 0.0), 1.0 * n);
  while (middle < n && in_first_half(middle)) ++middle;
  while (middle > 0 && !in_first_half(middle - 1)) --middle;
  const auto fill_half = [&](int begin, int end, bool lower) {
    const bool from_start = lower == rising;
    const simd::Stretch stretch{position + begin,        first,  from_start ? 0.0 : length,
                                from_start ? 1.0 : -1.0, length, lower ? low : high,
                                lower ? span : -span};
    kernel<Out>(curve.shape, lower)(out + begin, end - begin, stretch);
  };
  const int half = static_cast<int>(middle);
  if (half > 0) fill_half(0, half, rising);
  if (half < n) fill_half(half, n, !rising);
}

}  // namespace

template <class Out>
std::size_t View::fill_run(std::int64_t step, std::size_t n, Out* out) const {
  constexpr std::size_t kBlock = std::size_t{1} << 30;  // the kernels count in 32 bits
  const auto run = [&](auto spot) -> std::size_t {
    using T = decltype(spot.k);
    const bool held = static_cast<double>(step) >= total;
    std::size_t m = std::min(n, kBlock);
    if (held) {
      std::fill(out, out + m, static_cast<Out>(value(spot)));
      return m;
    }
    const double left = std::ceil(static_cast<double>(spot.r));
    if (left < static_cast<double>(m)) m = std::max<std::size_t>(static_cast<std::size_t>(left), 1);
    // Nothing to share between steps: a factor for each, joins that are rounded anew for each, or
    // positions too far to be counted up in double.
    const bool single = per == Scaling::Per::step || (starts != nullptr && count > 1) ||
                        (spot.piece->nested && spot.factor != 1.0) ||
                        static_cast<double>(spot.position) > 9e15;
    if (single) {
      for (std::size_t i = 0; i < m; ++i) {
        out[i] = static_cast<Out>(
            value(locate(static_cast<T>(step + static_cast<std::int64_t>(i)), false)));
      }
    } else if (spot.piece->nested) {
      spot.piece->nested->view().fill(static_cast<std::int64_t>(spot.k), m, out);
    } else {
      fill_curve(scaled(spot.piece->curve, spot.factor, floor), static_cast<double>(spot.position),
                 static_cast<double>(spot.first), spot.n, static_cast<int>(m), out);
    }
    return m;
  };
  if (integral && (starts == nullptr || count == 1)) return run(locate(step, false));
  return run(locate(static_cast<double>(step), false));
}

template <class Out>
void View::fill(std::int64_t step, std::size_t n, Out* out) const {
  const bool plain =
      map.scale == 1.0 && map.offset == 0.0 && std::isinf(map.low) && std::isinf(map.high);
  constexpr std::size_t kCached = 2048;  // mapped while it is still in the first-level cache
  double block[kCached];                 // and in double, so that floats are rounded once
  while (n > 0) {
    std::size_t m = 0;
    if (plain) {
      m = fill_run(step, n, out);
    } else {
      m = fill_run(step, std::min(n, kCached), block);
      for (std::size_t i = 0; i < m; ++i) out[i] = static_cast<Out>(mapped(block[i]));
    }
    step += static_cast<std::int64_t>(m);
    out += m;
    n -= m;
  }
}

template double View::at(std::int64_t, bool) const;
template double View::at(double, bool) const;
template void View::fill(std::int64_t, std::size_t, double*) const;
template void View::fill(std::int64_t, std::size_t, float*) const;

}  // namespace clrfast
