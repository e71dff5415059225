// Every schedule is a Table: a row of pieces, repeated or not. One evaluator runs them all.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "schedule/curve.hpp"

namespace clrfast {

class Table;

// A stretch of a table: one curve, or the first steps of another table.
struct Piece {
  double until;                         // the step at which it ends; infinity where it never does
  Curve curve;                          // not used where there is
  std::shared_ptr<const Table> nested;  // another table
  double first = 0.0;                   // the step at which it begins; filled in by the table
};

// By how much the distance of a value from `floor` is multiplied.
struct Scaling {
  enum class Per : std::uint8_t { none, cycle, step };
  Per per = Per::none;
  double gamma = 1.0;           // gamma ** index, unless
  std::vector<double> factors;  // there is a factor for each index, the last of which then holds
  double floor = 0.0;
};

// What happens to the value last: clamp(value * scale + offset, low, high).
struct Map {
  double scale = 1.0;
  double offset = 0.0;
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

// Where a step falls in a cycle of a whole number of steps, exactly. No step is negative, and an
// unsigned division is the cheaper one.
inline double position_in(double period, std::int64_t step) {
  return static_cast<double>(static_cast<std::uint64_t>(step) % static_cast<std::uint64_t>(period));
}

// The evaluator: it owns nothing, so that a table on the stack costs no allocation.
struct View {
  const Piece* pieces;
  std::size_t count;
  double length;               // of all pieces, before they are stretched
  bool integral;               // every piece begins and ends on a whole step
  std::int64_t cycles;         // how often the pieces are run; 0: forever
  double total;                // steps until the value is held; infinity: never
  const std::int64_t* starts;  // where each stretched cycle begins, or null for equal cycles
  std::size_t start_count;
  double last_length;  // of the stretched cycle that no 64-bit step outlasts, or 0
  Scaling::Per per;
  double gamma;
  const double* factors;
  std::size_t factor_count;
  double floor;
  Map map;
  bool plain_cycle;  // see at()

  // The value at a step >= 0, whole or fractional. One curve or two that repeat forever, unscaled,
  // are what nearly everybody calls, so they skip what only the others need; the arithmetic is the
  // same.
  double at(std::int64_t step) const {
    if (!plain_cycle) return at(step, false);
    const double position = position_in(length, step);
    const Piece& piece = pieces[count == 2 && position >= pieces[1].first];
    return curve_value(piece.curve, position - piece.first, piece.until - position,
                       piece.until - piece.first);
  }
  double at(double step) const { return at(step, false); }

  // Writes the values of `count` whole steps from `step` on.
  template <class Out>
  void fill(std::int64_t step, std::size_t n, Out* out) const;

  // The value, or with `left` the limit of the values just before the step.
  template <class T>
  double at(T step, bool left) const;

 private:
  template <class T>
  struct Spot;
  template <class T>
  Spot<T> locate(T step, bool left) const;
  template <class T>
  double value(const Spot<T>& spot) const;
  template <class T>
  double factor(T step, std::int64_t cycle) const;
  double mapped(double value) const;
  bool by_whole_steps() const;
  template <class Out>
  std::size_t fill_run(std::int64_t step, std::size_t n, Out* out) const;
};

class Table {
 public:
  // Checks everything and throws std::invalid_argument that names what is wrong.
  // A cycle_mult above 1 makes cycle c last round(length * cycle_mult ** c) steps.
  Table(std::vector<Piece> pieces, std::int64_t cycles, double cycle_mult, Scaling scaling,
        Map map);
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  const View& view() const { return view_; }
  const std::vector<Piece>& pieces() const { return pieces_; }
  double cycle_mult() const { return cycle_mult_; }
  const Scaling& scaling() const { return scaling_; }

 private:
  std::vector<Piece> pieces_;
  double cycle_mult_;
  Scaling scaling_;
  std::vector<std::int64_t> starts_;
  View view_;
};

// The cyclical policies of the 2017 paper, evaluated without building a table.
struct Cyclic {
  double base_lr, max_lr;
  double step_size_up, step_size_down;
  Shape shape;
  Scaling::Per per;
  double gamma;

  double period() const { return step_size_up + step_size_down; }
  bool integral() const {
    return step_size_up == std::floor(step_size_up) && period() == std::floor(period());
  }
  bool plain() const { return integral() && per == Scaling::Per::none; }  // see View::at
};

// Calls `use` with the view of the cycle: its pieces live on the stack for that long.
template <class Use>
auto with_cyclic(const Cyclic& c, Use use) {
  const double period = c.period();
  const Piece pieces[2] = {{c.step_size_up, {c.shape, c.base_lr, c.max_lr}, nullptr, 0.0},
                           {period, {c.shape, c.max_lr, c.base_lr}, nullptr, c.step_size_up}};
  View view{};
  view.pieces = pieces;
  view.count = c.step_size_down > 0.0 ? 2 : 1;
  view.length = period;
  view.integral = c.integral();
  view.total = std::numeric_limits<double>::infinity();
  view.per = c.per;
  view.gamma = c.gamma;
  view.floor = c.base_lr;
  view.plain_cycle = c.plain();
  return use(static_cast<const View&>(view));
}

inline double cyclic_at(const Cyclic& c, std::int64_t step) {
  if (c.plain()) {  // the arithmetic of View::at, without making the view
    const double up = c.step_size_up;
    const double period = c.period();
    const double position = position_in(period, step);
    return position < up ? curve_value({c.shape, c.base_lr, c.max_lr}, position, up - position, up)
                         : curve_value({c.shape, c.max_lr, c.base_lr}, position - up,
                                       period - position, period - up);
  }
  return with_cyclic(c, [step](const View& view) { return view.at(step); });
}

}  // namespace clrfast
