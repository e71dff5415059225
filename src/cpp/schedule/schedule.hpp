// What a schedule is made of: every schedule is a row of pieces, repeated or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "schedule/curve.hpp"
#include "schedule/evaluator.hpp"
#include "schedule/wide.hpp"

namespace clrfast {

class Schedule;

// A stretch of a row: one curve, or the first steps of another schedule.
struct Piece {
  Wide until;                              // where it ends; infinity where it never does
  Curve curve;                             // not used where there is
  std::shared_ptr<const Schedule> nested;  // another schedule
  Wide first = {};                         // where it begins; filled in by the schedule
};

// How the distance of a value from `floor` changes from cycle to cycle or from step to step.
struct Scaling {
  Per per = Per::none;
  double gamma = 1.0;           // gamma ** index, unless
  std::vector<double> factors;  // there is a factor for each index, the last of which then holds
  double floor = 0.0;
};

// An immutable schedule, and the owner of what its evaluator looks at.
class Schedule {
 public:
  // How deep schedules may be nested in each other, and how many pieces they may have with all that
  // is nested in them: each level takes some of a thread's stack, and a schedule that holds another
  // twice, many times over, would never be compared or written down.
  static constexpr int kMostLevels = 64;
  static constexpr std::size_t kMostPieces = std::size_t{1} << 24;

  // Checks everything and throws std::invalid_argument that names what is wrong.
  // The row is run `cycles` times, or forever where that is 0. A cycle_mult above 1 makes cycle c
  // last round(length * cycle_mult ** c) steps.
  Schedule(std::vector<Piece> pieces, std::int64_t cycles, double cycle_mult, Scaling scaling,
           Map map);
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  const Evaluator& evaluator() const { return evaluator_; }
  const std::vector<Piece>& pieces() const { return pieces_; }
  std::int64_t cycles() const { return evaluator_.cycles; }
  double cycle_mult() const { return cycle_mult_; }
  const Scaling& scaling() const { return scaling_; }
  const Map& map() const { return map_; }
  // For how many whole steps there are values before the last one is held, or kNever.
  std::uint64_t total_steps() const { return evaluator_.whole_total; }

 private:
  std::vector<Piece> pieces_;
  double cycle_mult_;
  Scaling scaling_;
  Map map_;
  int levels_ = 1;
  std::size_t all_pieces_ = 0;
  std::vector<std::int64_t> starts_;
  Evaluator evaluator_;
};

// One curve or two that repeat forever, unscaled, are what nearly everybody calls, so they skip
// what only the others need; the arithmetic is the same.
inline double Evaluator::at(std::int64_t step) const {
  if (!plain_cycle) return at(step, false);
  const double position = position_in(length.hi, step);
  const Piece& piece = pieces[count == 2 && position >= pieces[1].first.hi];
  return curve_value(piece.curve, position - piece.first.hi, piece.until.hi - position,
                     piece.until.hi - piece.first.hi);
}

// Whether both are made alike, which is more than that they give the same values.
bool operator==(const Schedule& a, const Schedule& b);

}  // namespace clrfast
