// The evaluator of all schedules: find the cycle, find the piece, take the curve's value.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "schedule/table.hpp"
#include "simd/level.hpp"

namespace clrfast {

// Where a step falls. T is int64_t on tables whose pieces begin on whole steps: then every distance
// is exact however far the step is, since it is measured from the piece's own ends.
template <class T>
struct View::Spot {
  const Piece* piece;
  T position;    // within the cycle
  T k;           // steps since the piece's start
  double r;      // steps until its end
  double n;      // both together
  double first;  // where the piece begins within the cycle
  double until;  // and where it ends
  double factor;
  bool left;
};

namespace {

constexpr double kLastWhole = 9.2e18;  // below 2^63, so that a whole step fits

// What a - b lost to rounding, given the rounded difference (Knuth).
double lost(double a, double b, double difference) {
  const double b_seen = a - difference;
  const double a_seen = difference + b_seen;
  return (a - a_seen) + (b_seen - b);
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
    step = static_cast<T>(total);
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
    if (next == starts) ++next;  // the left limit at 0 is the value there
    cycle = next - starts - 1;
    position = step - static_cast<T>(starts[cycle]);
    cycle_length =
        next == starts + start_count ? last_length : static_cast<double>(*next - starts[cycle]);
  } else if (cycles != 1) {
    const T period = static_cast<T>(length);
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
  const double first = piece->first * stretch;
  const double until = count == 1 ? cycle_length : piece->until * stretch;
  const T k = position - static_cast<T>(first);
  const double r = until < kLastWhole ? static_cast<double>(static_cast<T>(until) - position)
                                      : until - static_cast<double>(position);
  return {piece, position, k, r, until - first, first, until, factor(step, cycle), left};
}

template <class T>
double View::value(const Spot<T>& spot) const {
  if (spot.piece->nested) {
    const bool at_end = spot.left && spot.r == 0;
    const double inner = spot.piece->nested->view().at(spot.k, at_end);
    return spot.factor == 1.0 ? inner : floor + spot.factor * (inner - floor);
  }
  const Curve curve = scaled(spot.piece->curve, spot.factor, floor);
  const auto k = static_cast<double>(spot.k);
  const double plain = curve_value(curve, k, spot.r, spot.n);
  if constexpr (!std::is_integral_v<T>) {
    // Joins and steps that are not whole leave distances that are rounded. What was lost, as a
    // share of the distance, times the slope puts it back.
    const bool from_start = k <= spot.r;
    const double distance = from_start ? k : spot.r;
    const double rest =
        from_start ? lost(spot.position, spot.first, k) : lost(spot.until, spot.position, spot.r);
    const double share = rest / distance - lost(spot.until, spot.first, spot.n) / spot.n;
    if (distance > 0.0 && share != 0.0 && std::isfinite(share)) {
      constexpr double kTiny = 0x1p-20;
      const double moved = from_start ? curve_value(curve, k + k * kTiny, spot.r, spot.n)
                                      : curve_value(curve, k, spot.r + spot.r * kTiny, spot.n);
      return plain + (moved - plain) * (share / kTiny);
    }
  }
  return plain;
}

double View::mapped(double v) const {
  return std::min(std::max(v * map.scale + map.offset, map.low), map.high);
}

// Whether a whole step is evaluated in integers: not where pieces join between steps, as stretched
// cycles of several pieces do.
bool View::by_whole_steps() const { return integral && (starts == nullptr || count == 1); }

template <class T>
double View::at(T step, bool left) const {
  if constexpr (std::is_integral_v<T>) {
    if (!by_whole_steps()) return at(static_cast<double>(step), left);
  }
  return mapped(value(locate(step, left)));
}

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

// Fills the steps that follow each other within one piece, and says how many those were.
template <class Out>
std::size_t View::fill_run(std::int64_t step, std::size_t n, Out* out) const {
  if (static_cast<double>(step) >= total) {
    std::fill(out, out + n, static_cast<Out>(value(locate(static_cast<double>(step), false))));
    return n;
  }
  const auto one_by_one = [&] {
    for (std::size_t i = 0; i < n; ++i) {
      const std::int64_t here = step + static_cast<std::int64_t>(i);
      out[i] = static_cast<Out>(by_whole_steps() ? value(locate(here, false))
                                                 : value(locate(static_cast<double>(here), false)));
    }
    return n;
  };
  if (!by_whole_steps() || per == Scaling::Per::step) return one_by_one();
  const Spot<std::int64_t> spot = locate(step, false);
  // The kernels count in 32 bits, and positions beyond 2^53 cannot be counted up in double.
  constexpr std::size_t kMost = std::size_t{1} << 30;
  n = std::min({n, kMost, spot.r < 1e9 ? static_cast<std::size_t>(spot.r) : kMost});
  if (spot.piece->nested) {
    if (spot.factor != 1.0) return one_by_one();
    spot.piece->nested->view().fill(spot.k, n, out);
  } else {
    if (static_cast<double>(spot.position) > 9e15) return one_by_one();
    fill_curve(scaled(spot.piece->curve, spot.factor, floor), static_cast<double>(spot.k), spot.r,
               spot.n, static_cast<int>(n), out);
  }
  return n;
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
