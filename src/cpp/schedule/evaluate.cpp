// How one value is found: turn_at() finds the cycle that a step falls into, locate() the piece and
// the distances of its ends, and value() takes the curve there.
//
// Both are compiled for two kinds of steps, see Evaluator: T is std::int64_t where everything is
// counted in integers, and Wide elsewhere. The few things that differ between the two are the
// overloads below.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "schedule/schedule.hpp"

namespace clrfast {

namespace {

using Whole = std::int64_t;

template <class T>
T counted(Whole steps) {
  if constexpr (std::is_same_v<T, Wide>) {
    return Wide::whole(steps);
  } else {
    return steps;
  }
}

template <class T>
T counted(const Wide& steps) {
  if constexpr (std::is_same_v<T, Wide>) {
    return steps;
  } else {
    return static_cast<Whole>(steps.hi);
  }
}

// Whether a position lies before a place in the row, or after it.
bool before(double position, const Wide& spot) { return position < spot.hi; }
bool after(double position, const Wide& spot) { return position > spot.hi; }
bool before(const Wide& position, const Wide& spot) { return position < spot; }
bool after(const Wide& position, const Wide& spot) { return spot < position; }

struct WholeDivision {
  Whole times;
  Whole rest;
};

WholeDivision divide(Whole step, const Wide& period) {
  // An unsigned division is the cheaper one, and no step is negative.
  const auto length = static_cast<std::uint64_t>(period.hi);
  const std::uint64_t times = static_cast<std::uint64_t>(step) / length;
  return {static_cast<Whole>(times), step - static_cast<Whole>(times * length)};
}

// gamma ** index. An index beyond 2^53 is no double; what its rounding lost is put back.
double power_of(double gamma, const Wide& index) {
  const double power = std::min(std::pow(gamma, index.hi), kHuge);
  return index.lo == 0.0 ? power : power * (1.0 + index.lo * std::log(gamma));
}

}  // namespace

template <class T>
double Evaluator::factor(T step, std::int64_t cycle) const {
  if (per == Per::none) return 1.0;
  const Wide index = per == Per::cycle ? Wide::whole(cycle) : counted<Wide>(step);
  if (factors == nullptr) return power_of(gamma, index);
  return factors[static_cast<std::size_t>(
      std::min(index.hi, static_cast<double>(factor_count - 1)))];
}

template <class T>
const Piece* Evaluator::piece_at(T position, bool left) const {
  const Piece* piece = pieces;
  const Piece* last = pieces + count - 1;
  constexpr std::size_t kFew = 8;  // that are searched one by one, faster than by halves
  if (count <= kFew) {
    if (left) {
      while (piece != last && after(position, piece[1].first)) ++piece;
    } else {
      while (piece != last && !before(position, piece[1].first)) ++piece;
    }
    return piece;
  }
  const Piece* next =
      left ? std::lower_bound(piece + 1, last + 1, position,
                              [](const Piece& p, const T& at) { return after(at, p.first); })
           : std::upper_bound(piece + 1, last + 1, position,
                              [](const T& at, const Piece& p) { return before(at, p.first); });
  return next - 1;
}

template <class T>
Evaluator::Turn<T> Evaluator::turn_at(T step, bool left) const {
  bool ended = false;
  if constexpr (std::is_same_v<T, Wide>) {
    ended = step >= total;
  } else {
    ended = static_cast<std::uint64_t>(step) >= whole_total;
  }
  if (ended) {
    step = counted<T>(total);
    left = true;
  }
  if (starts != nullptr) {
    const auto reached = [left](const T& s, Whole start) {
      return left ? !(counted<T>(start) < s) : s < counted<T>(start);
    };
    const std::int64_t* end = starts + start_count;
    const std::int64_t* next = std::upper_bound(starts, end, step, reached);
    if (next == starts) ++next;  // the left limit at 0 is the value there
    const Wide lasts = next == end ? last_length : Wide::whole(*next - next[-1]);
    return {step, next - starts - 1, step - counted<T>(next[-1]), lasts, left};
  }
  if (ended) return {step, cycles - 1, counted<T>(length), length, left};
  if (cycles == 1) return {step, 0, step, length, left};
  const auto division = divide(step, length);
  if (left && division.rest == T(0) && division.times > 0) {
    return {step, division.times - 1, counted<T>(length), length, left};
  }
  return {step, division.times, division.rest, length, left};
}

template <class T>
Evaluator::Spot<T> Evaluator::locate(T step, bool asks_left) const {
  const Turn<T> turn = turn_at(step, asks_left);
  Spot<T> spot{};
  spot.factor = factor(turn.step, turn.cycle);
  if constexpr (std::is_same_v<T, Wide>) {
    const double stretch = starts == nullptr ? 1.0 : turn.length.hi / length.hi;
    spot.piece =
        piece_at(stretch == 1.0 ? turn.position : Wide(turn.position.hi / stretch), turn.left);
    const auto stretched = [stretch](const Wide& w) { return stretch == 1.0 ? w : w * stretch; };
    const Wide first = stretched(spot.piece->first);
    const bool is_last = spot.piece == pieces + count - 1;
    const Wide until = is_last ? turn.length : stretched(spot.piece->until);
    const Wide n = until - first;
    const Wide r = until - turn.position;
    spot.since = turn.position - first;
    spot.k = spot.since.hi;
    spot.r = r.hi;
    spot.n = n.hi;
    const double n_lost = n.lo / n.hi;
    spot.k_lost = spot.k > 0.0 ? spot.since.lo / spot.k - n_lost : 0.0;
    spot.r_lost = spot.r > 0.0 ? r.lo / spot.r - n_lost : 0.0;
  } else {
    const auto position = static_cast<double>(turn.position);
    spot.piece = piece_at(position, turn.left);
    const double first = spot.piece->first.hi;
    const double until = count == 1 ? turn.length.hi : spot.piece->until.hi;
    spot.since = turn.position - static_cast<Whole>(first);
    spot.k = static_cast<double>(spot.since);
    spot.r = until - position;
    spot.n = until - first;
  }
  spot.at_end = turn.left && spot.r == 0.0;
  return spot;
}

template <class T>
double Evaluator::value(const Spot<T>& spot) const {
  if (spot.piece->nested) {
    const double inner = spot.piece->nested->evaluator().at(spot.since, spot.at_end);
    return scaled(inner, spot.factor, floor);
  }
  const Curve& curve = spot.piece->curve;
  if (follows_its_ends(curve.shape)) return curve_at(scaled(curve, spot.factor, floor), spot);
  return scaled(curve_at(curve, spot), spot.factor, floor);
}

template <class T>
double Evaluator::curve_at(const Curve& curve, const Spot<T>& spot) {
  if (std::is_same_v<T, Wide> && curve.shape == Shape::power) {
    return power_value(curve, spot.k, spot.r, spot.n, spot.k_lost, spot.r_lost);
  }
  const double plain = curve_value(curve, spot.k, spot.r, spot.n);
  if constexpr (std::is_same_v<T, Wide>) {
    // The distances are moved by many times what they lost, so that the value moves by as many
    // times what it lost.
    const double lost = std::max(std::abs(spot.k_lost), std::abs(spot.r_lost));
    if (lost > 0.0) {
      const double times = 0x1p-20 / lost;
      const double moved = curve_value(curve, spot.k * (1.0 + times * spot.k_lost),
                                       spot.r * (1.0 + times * spot.r_lost), spot.n);
      return plain + (moved - plain) / times;
    }
  }
  return plain;
}

double Evaluator::whole_value(std::int64_t step) const {
  return static_cast<std::uint64_t>(step) < whole_until ? value(locate(step, false))
                                                        : value(locate(Wide::whole(step), false));
}

template <class T>
double Evaluator::at(T step, bool left) const {
  if constexpr (std::is_same_v<T, Whole>) {
    if (static_cast<std::uint64_t>(step) >= whole_until) return at(Wide::whole(step), left);
  }
  return map(value(locate(step, left)));
}

template double Evaluator::at(std::int64_t, bool) const;
template double Evaluator::at(Wide, bool) const;
template Evaluator::Spot<std::int64_t> Evaluator::locate(std::int64_t, bool) const;
template Evaluator::Spot<Wide> Evaluator::locate(Wide, bool) const;
template double Evaluator::value(const Spot<std::int64_t>&) const;

}  // namespace clrfast
