#include "analysis/state.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "analysis/grid.hpp"
#include "analysis/kernels.hpp"
#include "analysis/parallel.hpp"
#include "simd/level.hpp"

namespace clrfast::analysis {
namespace {

// Starting a thread costs about as much as this many rows.
constexpr std::size_t kRowsWorthAThread = 1 << 16;

bool usable(double loss) noexcept { return std::fabs(loss) <= kLargestLoss; }

// The cell that consecutive rows lie in; a ramp moves to a neighbour far more often than elsewhere.
class Cursor {
 public:
  bool holds(double lr) const noexcept { return lr >= low_ && lr < high_; }

  void move_to(double lr) noexcept {
    cell_ =
        lr >= high_ && cell_ < kHighestCell && lr < cell_edge(cell_ + 2) ? cell_ + 1 : cell_of(lr);
    low_ = cell_edge(cell_);
    high_ = cell_edge(cell_ + 1);
    inverse_centre_ = analysis::inverse_centre(cell_);
  }

  std::int64_t cell() const noexcept { return cell_; }
  double low() const noexcept { return low_; }
  double high() const noexcept { return high_; }
  double inverse_centre() const noexcept { return inverse_centre_; }

 private:
  std::int64_t cell_ = kLowestCell;
  double low_ = HUGE_VAL, high_ = HUGE_VAL, inverse_centre_ = 0;  // no rate lies here yet
};

// Rows that are cheaper to add up one by one than to call a kernel for.
constexpr std::size_t kFewRows = 16;

// Rows of one cell.
Cell sum_run(const RowKernels& kernels, const Cursor& cursor, const double* lr, const double* loss,
             std::size_t rows, std::int64_t step) noexcept {
  Cell cell;
  cell.first = step;
  cell.last = step + static_cast<std::int64_t>(rows) - 1;
  std::size_t i = 0;
  while (i < rows && !usable(loss[i])) ++i;
  cell.nonfinite = static_cast<std::int64_t>(i);
  if (i == rows) return cell;
  const double shift = loss[i];
  RunSums sums{0, 0, 0, shift, shift};
  if (rows - i > kFewRows) {
    sums = kernels.sum_run(lr + i, loss + i, rows - i, cursor.inverse_centre(), shift);
  } else {
    for (; i < rows; ++i) {
      if (!usable(loss[i])) continue;
      sums.rows += 1;
      sums.difference += loss[i] - shift;
      sums.offset += cell_offset(lr[i], cursor.inverse_centre());
      sums.lowest = std::min(sums.lowest, loss[i]);
      sums.highest = std::max(sums.highest, loss[i]);
    }
  }
  cell.count = static_cast<std::int64_t>(sums.rows);
  cell.nonfinite = static_cast<std::int64_t>(rows) - cell.count;
  cell.x = sums.offset / sums.rows;
  cell.loss = shift + sums.difference / sums.rows;
  cell.lowest = sums.lowest;
  cell.highest = sums.highest;
  return cell;
}

// The rates at the start that lie in the cursor's cell.
RateRun rates_within(const RowKernels& kernels, const Cursor& cursor, const double* lr,
                     std::size_t rows) noexcept {
  RateRun run{0, lr[0], lr[0]};
  for (; run.rows < rows && cursor.holds(lr[run.rows]); ++run.rows) {
    if (run.rows == kFewRows) {
      const RateRun more =
          kernels.rates_within(lr + kFewRows, rows - kFewRows, cursor.low(), cursor.high());
      return {kFewRows + more.rows, std::min(run.lowest, more.lowest),
              std::max(run.highest, more.highest)};
    }
    run.lowest = std::min(run.lowest, lr[run.rows]);
    run.highest = std::max(run.highest, lr[run.rows]);
  }
  return run;
}

}  // namespace

void Cell::merge(const Cell& other) noexcept {
  first = std::min(first, other.first);
  last = std::max(last, other.last);
  nonfinite += other.nonfinite;
  if (other.count == 0) return;
  count += other.count;
  const double share = static_cast<double>(other.count) / static_cast<double>(count);
  x += (other.x - x) * share;
  loss += (other.loss - loss) * share;
  lowest = std::min(lowest, other.lowest);
  highest = std::max(highest, other.highest);
}

void State::cover(std::int64_t lowest, std::int64_t highest) {
  if (cells_.empty()) origin_ = lowest;
  if (lowest < origin_) {
    cells_.insert(cells_.begin(), static_cast<std::size_t>(origin_ - lowest), Cell{});
    origin_ = lowest;
  }
  const auto size = static_cast<std::size_t>(highest - origin_ + 1);
  if (size > cells_.size()) cells_.resize(size);
}

std::size_t State::scan(const Column& lr, const Column& loss, std::size_t from, std::size_t to,
                        std::int64_t first_step) {
  const RowKernels& kernel = simd::level().rows;
  Cursor cursor;
  double lr_scratch[kBlockRows], loss_scratch[kBlockRows];
  for (std::size_t start = from; start < to; start += kBlockRows) {
    const std::size_t rows = std::min(kBlockRows, to - start);
    const double* rates = lr.read(start, rows, lr_scratch);
    const double* losses = loss.read(start, rows, loss_scratch);
    for (std::size_t i = 0; i < rows;) {
      if (!cursor.holds(rates[i])) {
        if (!is_rate(rates[i])) return start + i;
        cursor.move_to(rates[i]);
        cover(cursor.cell(), cursor.cell());
      }
      const RateRun run = rates_within(kernel, cursor, rates + i, rows - i);
      lowest_lr_ = std::min(lowest_lr_, run.lowest);
      highest_lr_ = std::max(highest_lr_, run.highest);
      cells_[static_cast<std::size_t>(cursor.cell() - origin_)].merge(
          sum_run(kernel, cursor, rates + i, losses + i, run.rows,
                  first_step + static_cast<std::int64_t>(start + i)));
      i += run.rows;
    }
  }
  return kNoRow;
}

std::size_t State::add(const Column& lr, const Column& loss, std::size_t rows,
                       std::int64_t first_step, unsigned threads) {
  const std::size_t most = std::max<std::size_t>(1, rows / kRowsWorthAThread);
  const std::size_t parts = std::min<std::size_t>(std::max(1U, threads), most);
  std::vector<State> states(parts);
  std::vector<std::size_t> bad(parts, kNoRow);
  in_parallel(parts, [&](std::size_t k) {
    bad[k] = states[k].scan(lr, loss, rows * k / parts, rows * (k + 1) / parts, first_step);
  });
  for (const std::size_t row : bad) {
    if (row != kNoRow) return row;
  }
  for (State& state : states) {
    if (empty()) {
      std::swap(*this, state);
    } else {
      merge(state);
    }
  }
  return kNoRow;
}

void State::merge(const State& other) {
  if (other.empty()) return;
  cover(other.origin_, other.origin_ + static_cast<std::int64_t>(other.cells_.size()) - 1);
  for (std::size_t i = 0; i < other.cells_.size(); ++i) {
    cells_[static_cast<std::size_t>(other.origin_ - origin_) + i].merge(other.cells_[i]);
  }
  lowest_lr_ = std::min(lowest_lr_, other.lowest_lr_);
  highest_lr_ = std::max(highest_lr_, other.highest_lr_);
}

void State::shift_steps(std::int64_t by) noexcept {
  for (Cell& cell : cells_) {
    if (cell.count + cell.nonfinite == 0) continue;
    cell.first += by;
    cell.last += by;
  }
}

std::int64_t State::rows() const noexcept {
  std::int64_t rows = 0;
  for (const Cell& cell : cells_) rows += cell.count + cell.nonfinite;
  return rows;
}

std::int64_t State::nonfinite() const noexcept {
  std::int64_t rows = 0;
  for (const Cell& cell : cells_) rows += cell.nonfinite;
  return rows;
}

}  // namespace clrfast::analysis
