// The cyclical policies of the 2017 paper, evaluated without building a schedule.
#pragma once

#include <cmath>

#include "schedule/schedule.hpp"

namespace clrfast {

struct Cyclic {
  double base_lr, max_lr;
  double step_size_up, step_size_down;
  Shape shape;
  Per per;
  double gamma;

  Wide period() const { return sum(step_size_up, step_size_down); }
  bool whole() const {
    return step_size_up == std::floor(step_size_up) && step_size_down == std::floor(step_size_down);
  }
  bool plain() const { return per == Per::none && whole(); }  // see Evaluator::at
};

// Calls `use` with the evaluator of the cycle: its pieces live on the stack for that long.
template <class Use>
auto with_cyclic(const Cyclic& c, Use use) {
  const Wide period = c.period();
  const Piece pieces[2] = {{c.step_size_up, {c.shape, c.base_lr, c.max_lr}, nullptr},
                           {period, {c.shape, c.max_lr, c.base_lr}, nullptr, c.step_size_up}};
  Evaluator evaluator{};
  evaluator.pieces = pieces;
  evaluator.count = c.step_size_down > 0.0 ? 2 : 1;
  evaluator.length = period;
  evaluator.total = std::numeric_limits<double>::infinity();
  evaluator.whole_total = kNever;
  evaluator.whole_until = c.whole() ? kNever : 0;
  evaluator.per = c.per;
  evaluator.gamma = c.gamma;
  evaluator.floor = c.base_lr;
  evaluator.plain_cycle = c.plain();
  return use(static_cast<const Evaluator&>(evaluator));
}

inline double cyclic_at(const Cyclic& c, std::int64_t step) {
  if (c.plain()) {  // the arithmetic of Evaluator::at, without making the evaluator
    const double up = c.step_size_up;
    const double period = up + c.step_size_down;
    const double position = position_in(period, step);
    return position < up ? curve_value({c.shape, c.base_lr, c.max_lr}, position, up - position, up)
                         : curve_value({c.shape, c.max_lr, c.base_lr}, position - up,
                                       period - position, period - up);
  }
  return with_cyclic(c, [step](const Evaluator& evaluator) { return evaluator.at(step); });
}

}  // namespace clrfast
