// The one evaluator of all schedules: it finds the cycle, the piece, and takes the curve's value.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "schedule/curve.hpp"
#include "schedule/wide.hpp"

namespace clrfast {

struct Piece;

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

// What counts the changes of a scaling.
enum class Per : std::uint8_t { none, cycle, step };

// What happens to the value last: clamp(value * scale + shift, low, high).
struct Map {
  double scale = 1.0;
  double shift = 0.0;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();

  double operator()(double value) const {
    return std::min(std::max(value * scale + shift, low), high);
  }
  bool changes_nothing() const {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    return scale == 1.0 && shift == 0.0 && low == -kInfinity && high == kInfinity;
  }
};

// Where a step falls in a cycle of a whole number of steps, exactly. No step is negative, and an
// unsigned division is the cheaper one.
inline double position_in(double period, std::int64_t step) {
  return static_cast<double>(static_cast<std::uint64_t>(step) % static_cast<std::uint64_t>(period));
}

// It owns nothing, so that a schedule on the stack costs no allocation. Two ways lead to a value.
// Whole steps of whole pieces are counted in integers, where every distance is exact however far
// the step is. All others, down to fractions of a step, are counted in Wide numbers, and what their
// distances lose to rounding is put back.
struct Evaluator {
  const Piece* pieces;
  std::size_t count;
  Wide length;                 // of all pieces, before they are stretched
  std::int64_t cycles;         // how often the pieces are run; 0: forever
  Wide total;                  // steps until the value is held; infinity: never
  std::uint64_t whole_total;   // the first whole step of those, or kNever
  std::uint64_t whole_until;   // below here whole steps are counted in integers
  const std::int64_t* starts;  // where each stretched cycle begins, or null for equal cycles
  std::size_t start_count;
  Wide last_length;  // of the stretched cycle that no 64-bit step outlasts, or 0
  Per per;           // see Scaling
  double gamma;
  const double* factors;
  std::size_t factor_count;
  double floor;
  Map map;
  bool plain_cycle;  // see at()

  // The value at a step >= 0, whole or fractional.
  double at(std::int64_t step) const;
  double at(double step) const { return at(Wide(step), false); }

  // Writes the values of `n` whole steps from `step` on, for double and float.
  template <class Out>
  void fill(std::int64_t step, std::size_t n, Out* out) const;

 private:
  // In all of these T is std::int64_t or Wide. Which cycle a step falls into, and where.
  template <class T>
  struct Turn {
    T step;  // the end, for steps beyond it
    std::int64_t cycle;
    T position;   // steps since the cycle began
    Wide length;  // of the cycle
    bool left;    // whether the limit from the left is asked for, as it is at the end
  };

  // A piece, and how far its ends are.
  template <class T>
  struct Spot {
    const Piece* piece;
    T since;                // steps since the piece's start
    double k;               // the same, rounded
    double r;               // steps until its end
    double n;               // both together
    double k_lost, r_lost;  // what k / n and r / n lost to rounding, as a share of them
    double factor;
    bool at_end;  // the limit from the left where the piece ends is asked for
  };

  // The value, or with `left` the limit of the values just before the step.
  template <class T>
  double at(T step, bool left) const;
  template <class T>
  Turn<T> turn_at(T step, bool left) const;
  template <class T>
  Spot<T> locate(T step, bool asks_left) const;
  template <class T>
  const Piece* piece_at(T position, bool left) const;
  template <class T>
  double factor(T step, std::int64_t cycle) const;
  template <class T>
  double value(const Spot<T>& spot) const;
  template <class T>
  static double curve_at(const Curve& curve, const Spot<T>& spot);
  double whole_value(std::int64_t step) const;
  template <class Out>
  std::size_t fill_run(std::int64_t step, std::size_t n, Out* out) const;
  template <class Out>
  void fill_mapped(std::int64_t step, std::size_t n, Out* out) const;
};

}  // namespace clrfast
