#include "analysis/analyze.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <stdexcept>

#include "analysis/grid.hpp"

namespace clrfast::analysis {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
// Wide enough for extremes that were picked out of many cells.
constexpr double kSigmas = 4;

// A loss far above where it started and than anything it fell by: fits need not follow it there.
double ceiling_of(const State& state) {
  double start = 0, rows = 0;
  double lowest = std::numeric_limits<double>::infinity();
  std::vector<double> jumps;
  const Cell* previous = nullptr;
  // The start is the mean of the first eight rows' worth of cells.
  for (const Cell& cell : state.cells()) {
    if (cell.count == 0) continue;
    if (rows < 8) {
      start += cell.loss * static_cast<double>(cell.count);
      rows += static_cast<double>(cell.count);
    }
    lowest = std::min(lowest, cell.loss);
    if (previous) jumps.push_back(std::fabs(cell.loss - previous->loss));
    previous = &cell;
  }
  start /= rows;
  const auto middle = jumps.begin() + static_cast<std::ptrdiff_t>(jumps.size() / 2);
  std::nth_element(jumps.begin(), middle, jumps.end());
  return start + std::max(start - lowest, 3 * *middle);
}

// Where the line between neighbouring cells crosses `level`.
double crossing(const Points& points, const Curve& curve, std::size_t right, double level) {
  if (right == 0) return points.x[0];
  const double before = curve.loss[right - 1] - level;
  const double after = curve.loss[right] - level;
  const double share = before == after ? 0.0 : before / (before - after);
  return points.x[right - 1] +
         std::min(1.0, std::max(0.0, share)) * (points.x[right] - points.x[right - 1]);
}

Points points_of(const State& state, double ceiling) {
  Points points;
  std::int64_t index = state.origin();
  for (const Cell& cell : state.cells()) {
    if (cell.count > 0) {
      points.x.push_back(cell_centre(index) + cell.x);
      points.loss.push_back(std::min(ceiling, cell.loss));
      points.rows.push_back(static_cast<double>(cell.count));
    }
    ++index;
  }
  return points;
}

// ln(lr) of the first cell with a non-finite loss, infinity if there is none.
double first_nonfinite(const State& state) {
  std::int64_t index = state.origin();
  for (const Cell& cell : state.cells()) {
    if (cell.nonfinite > 0) return cell_centre(index);
    ++index;
  }
  return std::numeric_limits<double>::infinity();
}

void check(const State& state) {
  std::size_t cells = 0;
  for (const Cell& cell : state.cells()) {
    if (cell.count > 0) ++cells;
  }
  if (cells >= kFewestCells) return;
  std::ostringstream message;
  message << "lrs must hold at least " << kFewestCells
          << " rates, 4 % or more apart, with a finite loss, not " << cells;
  if (!state.empty()) message << ", between " << state.lowest_lr() << " and " << state.highest_lr();
  throw std::invalid_argument(message.str());
}

}  // namespace

Analysis analyze(const State& state) {
  check(state);
  Analysis result;
  const double span = std::log(state.highest_lr()) - std::log(state.lowest_lr());
  result.points = points_of(state, ceiling_of(state));
  result.window = std::min(0.8 * std::log(10.0), 0.25 * span);
  result.curve = fit(result.points, result.window);
  const Points& points = result.points;
  for (const Cell& cell : state.cells()) {
    if (cell.count == 0) continue;
    result.lowest.push_back(cell.lowest);
    result.highest.push_back(cell.highest);
  }
  const Curve& curve = result.curve;
  const std::size_t size = points.size();

  // The highest level before the loss has fallen for good is where it starts from.
  std::size_t lowest = 0;
  const double broken = first_nonfinite(state);
  std::size_t end = size;
  while (end > 1 && points.x[end - 1] >= broken) --end;
  for (std::size_t i = 0; i < end; ++i) {
    if (curve.loss[i] < curve.loss[lowest]) lowest = i;
  }
  std::size_t top = 0;
  for (std::size_t i = 0; i <= lowest; ++i) {
    if (curve.loss[i] > curve.loss[top]) top = i;
  }
  const double start = curve.loss[top];
  const double bottom = curve.loss[lowest];
  const double drop = start - bottom;
  const double doubt = kSigmas * std::hypot(curve.loss_se[top], curve.loss_se[lowest]);

  std::size_t steepest = top;
  for (std::size_t i = top; i <= lowest; ++i) {
    if (curve.slope[i] < curve.slope[steepest]) steepest = i;
  }
  std::size_t plateau_end = top;
  while (plateau_end < lowest && curve.loss[plateau_end] > start - std::max(0.1 * drop, doubt / 4))
    ++plateau_end;
  std::size_t turn = lowest;
  const double risen = bottom + std::max(0.1 * drop, kSigmas / 2 * curve.loss_se[lowest]);
  while (turn < end && curve.loss[turn] < risen) ++turn;
  std::size_t diverged = lowest;
  while (diverged < end && curve.loss[diverged] < start) ++diverged;

  Phases& phases = result.phases;
  const bool fell = drop > doubt && lowest > top;
  phases.plateau_end_lr =
      fell ? std::exp(crossing(points, curve, plateau_end, start - std::max(0.1 * drop, doubt / 4)))
           : kNone;
  phases.steepest_lr = fell ? std::exp(points.x[steepest]) : kNone;
  phases.min_lr = std::exp(points.x[lowest]);
  phases.turn_lr = turn < end ? std::exp(crossing(points, curve, turn, risen))
                              : (end < size || broken < INFINITY ? std::exp(broken) : kNone);
  phases.divergence_lr = diverged < end ? std::exp(crossing(points, curve, diverged, start))
                                        : (broken < INFINITY ? std::exp(broken) : kNone);

  // The whole stretch that cannot be told from the minimum.
  std::size_t left = lowest, right = lowest;
  const auto as_low = [&](std::size_t i) {
    return curve.loss[i] - bottom <=
           std::max(0.05 * drop, std::hypot(curve.loss_se[i], curve.loss_se[lowest]));
  };
  while (left > 0 && as_low(left - 1)) --left;
  while (right + 1 < end && as_low(right + 1)) ++right;

  Suggestion& suggestion = result.suggestion;
  const double lowest_x = std::log(state.lowest_lr());
  const auto peak = [&](std::size_t i) {
    // Half way, in ln(lr), between the steepest fall and the minimum, at most a decade below it.
    const double middle = (points.x[std::min(steepest, i)] + points.x[i]) / 2;
    return std::max(lowest_x, std::max(middle, points.x[i] - std::log(10.0)));
  };
  const double max_x = peak(lowest);
  const double base_x = std::max(
      lowest_x, std::min(fell ? std::log(phases.plateau_end_lr) : max_x, max_x - std::log(4.0)));
  suggestion.max_lr = std::exp(max_x);
  suggestion.max_lr_interval = {std::exp(peak(left)), std::exp(peak(right))};
  suggestion.base_lr = std::exp(base_x);
  const double base_shift = std::log(4.0) / 2;
  suggestion.base_lr_interval = {std::exp(std::max(lowest_x, base_x - base_shift)),
                                 std::exp(std::min(max_x, base_x + base_shift))};

  int doubts = 0;
  const auto because = [&](int weight, const char* reason) {
    doubts += weight;
    suggestion.reasons.emplace_back(reason);
  };
  if (!fell) because(2, "the loss does not fall by more than its noise");
  if (std::isnan(phases.turn_lr))
    because(1, "the loss is still low at the highest rate: the test could have gone higher");
  if (fell && plateau_end == 0)
    because(1, "the loss falls from the first rate on: the test could have started lower");
  if (points.x[right] - points.x[left] > 2 * std::log(10.0))
    because(1, "the minimum is broad: rates over two decades apart cannot be told from it");
  if (state.rows() < 30) because(1, "the log is short: fewer than 30 rows");
  suggestion.confidence =
      doubts == 0 ? Confidence::kHigh : (doubts == 1 ? Confidence::kMedium : Confidence::kLow);
  return result;
}

}  // namespace clrfast::analysis
