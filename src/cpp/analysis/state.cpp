#include "analysis/state.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "analysis/grid.hpp"
#include "analysis/kernels.hpp"
#include "analysis/parallel.hpp"
#include "simd/level.hpp"

namespace clrfast::analysis {
namespace {

// Starting a thread costs about as much as this many rows.
constexpr std::size_t kRowsWorthAThread = 1 << 16;

// As many as a common range test needs.
constexpr std::size_t kFewCells = 8 * kCellsPerDecade;

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
template <typename Rate, typename Loss>
Cell sum_run(const ColumnKernels<Rate, Loss>& kernels, const Cursor& cursor, const Rate* lr,
             const Loss* loss, std::size_t rows, std::int64_t step) noexcept {
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
      const double l = loss[i];
      if (!usable(l)) continue;
      sums.rows += 1;
      sums.difference += l - shift;
      sums.offset += cell_offset(lr[i], cursor.inverse_centre());
      sums.lowest = std::min(sums.lowest, l);
      sums.highest = std::max(sums.highest, l);
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
template <typename Rate, typename Loss>
RateRun rates_within(const ColumnKernels<Rate, Loss>& kernels, const Cursor& cursor, const Rate* lr,
                     std::size_t rows) noexcept {
  RateRun run{0, lr[0], lr[0]};
  for (; run.rows < rows && cursor.holds(lr[run.rows]); ++run.rows) {
    if (run.rows == kFewRows) {
      const RateRun more =
          kernels.rates_within(lr + kFewRows, rows - kFewRows, cursor.low(), cursor.high());
      return {kFewRows + more.rows, std::min(run.lowest, more.lowest),
              std::max(run.highest, more.highest)};
    }
    const double rate = lr[run.rows];
    run.lowest = std::min(run.lowest, rate);
    run.highest = std::max(run.highest, rate);
  }
  return run;
}

void require_steps(std::int64_t first, std::int64_t end) {
  if (first < -kMostRows || end > kMostRows) {
    throw std::invalid_argument("steps must stay from -2**53 to 2**53, got " +
                                std::to_string(first) + " to " + std::to_string(end));
  }
}

void require_room(std::int64_t rows, std::uint64_t more) {
  if (more > static_cast<std::uint64_t>(kMostRows - rows)) {
    throw std::invalid_argument("a State must hold at most 2**53 rows, got " +
                                std::to_string(rows) + " and " + std::to_string(more) + " more");
  }
}

}  // namespace

void Cell::merge(const Cell& other, std::int64_t shift) noexcept {
  if (other.empty()) return;
  if (empty()) {
    *this = other;
    first += shift;
    last += shift;
    return;
  }
  first = std::min(first, other.first + shift);
  last = std::max(last, other.last + shift);
  nonfinite += other.nonfinite;
  if (other.count == 0) return;
  count += other.count;
  const double share = static_cast<double>(other.count) / static_cast<double>(count);
  x += (other.x - x) * share;
  loss += (other.loss - loss) * share;
  lowest = std::min(lowest, other.lowest);
  highest = std::max(highest, other.highest);
}

State::State(std::int64_t next_step, std::int64_t origin, std::vector<Cell> cells, double lowest_lr,
             double highest_lr) noexcept
    : origin_(origin),
      cells_(std::move(cells)),
      lowest_lr_(lowest_lr),
      highest_lr_(highest_lr),
      next_step_(next_step) {
  for (const Cell& cell : cells_) rows_ += cell.count + cell.nonfinite;
}

void State::cover(std::int64_t lowest, std::int64_t highest) {
  const auto cells = static_cast<std::int64_t>(cells_.size());
  const std::int64_t first = cells == 0 ? lowest : std::min(lowest, origin_);
  const std::int64_t last = std::max(highest, cells == 0 ? highest : origin_ + cells - 1);
  const auto size = static_cast<std::size_t>(last - first + 1);
  if (size > cells_.capacity())  // the only thing that can fail, before anything changes
    cells_.reserve(std::max({size, 2 * cells_.capacity(), kFewCells}));
  if (cells > 0 && first < origin_)
    cells_.insert(cells_.begin(), static_cast<std::size_t>(origin_ - first), Cell{});
  cells_.resize(size);
  origin_ = first;
}

std::size_t State::scan(const Column& lr, const Column& loss, std::size_t from, std::size_t to,
                        std::int64_t first_step) {
  const RowKernels& kernels = simd::level().rows;
  if (lr.dense_single()) {
    return loss.dense_single() ? scan(kernels.float_float, lr, loss, from, to, first_step)
                               : scan(kernels.float_double, lr, loss, from, to, first_step);
  }
  return loss.dense_single() ? scan(kernels.double_float, lr, loss, from, to, first_step)
                             : scan(kernels.double_double, lr, loss, from, to, first_step);
}

template <typename Rate, typename Loss>
std::size_t State::scan(const ColumnKernels<Rate, Loss>& kernels, const Column& lr,
                        const Column& loss, std::size_t from, std::size_t to,
                        std::int64_t first_step) {
  Cursor cursor;
  double lr_scratch[kBlockRows], loss_scratch[kBlockRows];
  for (std::size_t start = from; start < to; start += kBlockRows) {
    const std::size_t rows = std::min(kBlockRows, to - start);
    const Rate* rates = lr.read<Rate>(start, rows, lr_scratch);
    const Loss* losses = loss.read<Loss>(start, rows, loss_scratch);
    for (std::size_t i = 0; i < rows;) {
      if (!cursor.holds(rates[i])) {
        if (!is_rate(rates[i])) return start + i;
        cursor.move_to(rates[i]);
        if (!covers(cursor.cell())) cover(cursor.cell(), cursor.cell());
      }
      const RateRun run = rates_within(kernels, cursor, rates + i, rows - i);
      lowest_lr_ = std::min(lowest_lr_, run.lowest);
      highest_lr_ = std::max(highest_lr_, run.highest);
      cells_[static_cast<std::size_t>(cursor.cell() - origin_)].merge(
          sum_run(kernels, cursor, rates + i, losses + i, run.rows,
                  first_step + static_cast<std::int64_t>(start + i)));
      i += run.rows;
    }
  }
  rows_ = static_cast<std::int64_t>(to - from);
  return kNoRow;
}

std::size_t State::add(const Column& lr, const Column& loss, std::size_t rows,
                       std::int64_t first_step, unsigned threads) {
  require_room(rows_, rows);
  require_steps(first_step, first_step);
  const std::int64_t end = first_step + static_cast<std::int64_t>(rows);
  require_steps(end, end);
  const std::size_t most = std::max<std::size_t>(1, rows / kRowsWorthAThread);
  const std::size_t parts = std::min<std::size_t>(std::max(1U, threads), most);
  if (parts == 1 && empty()) {
    const std::size_t bad = scan(lr, loss, 0, rows, first_step);
    if (bad == kNoRow) {
      next_step_ = end;
    } else {
      clear();
    }
    return bad;
  }
  std::vector<State> states(parts);
  std::vector<std::size_t> bad(parts, kNoRow);
  in_parallel(parts, [&](std::size_t k) {
    bad[k] = states[k].scan(lr, loss, rows * k / parts, rows * (k + 1) / parts, first_step);
  });
  for (const std::size_t row : bad) {
    if (row != kNoRow) return row;
  }
  State& all = states.front();
  for (std::size_t k = 1; k < parts; ++k) all.add_cells(states[k], 0);
  if (empty()) {
    std::swap(*this, all);
  } else {
    add_cells(all, 0);
  }
  next_step_ = end;
  return kNoRow;
}

void State::clear() noexcept {
  cells_.clear();
  lowest_lr_ = std::numeric_limits<double>::infinity();
  highest_lr_ = 0;
  rows_ = 0;
}

void State::merge(const State& other) {
  require_room(rows_, static_cast<std::uint64_t>(other.rows_));
  add_cells(other, 0);
  next_step_ = std::max(next_step_, other.next_step_);
}

void State::put(const State& other, std::int64_t first_step) {
  require_room(rows_, static_cast<std::uint64_t>(other.rows_));
  require_steps(first_step, first_step);
  const std::int64_t end = first_step + other.next_step_;
  require_steps(end, end);
  for (const Cell& cell : other.cells_) {
    if (!cell.empty()) require_steps(first_step + cell.first, first_step + cell.last);
  }
  add_cells(other, first_step);
  next_step_ = end;
}

void State::add_cells(const State& other, std::int64_t shift) {
  if (other.empty()) return;
  cover(other.origin_, other.origin_ + static_cast<std::int64_t>(other.cells_.size()) - 1);
  for (std::size_t i = 0; i < other.cells_.size(); ++i) {
    cells_[static_cast<std::size_t>(other.origin_ - origin_) + i].merge(other.cells_[i], shift);
  }
  lowest_lr_ = std::min(lowest_lr_, other.lowest_lr_);
  highest_lr_ = std::max(highest_lr_, other.highest_lr_);
  rows_ += other.rows_;
}

std::int64_t State::nonfinite() const noexcept {
  std::int64_t rows = 0;
  for (const Cell& cell : cells_) rows += cell.nonfinite;
  return rows;
}

}  // namespace clrfast::analysis
