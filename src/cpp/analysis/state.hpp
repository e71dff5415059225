// What a log leaves behind: sufficient statistics on the absolute grid of ln(lr).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "analysis/column.hpp"
#include "analysis/kernels.hpp"

namespace clrfast::analysis {

// No state holds more rows, and all steps lie within this distance of 0: so far a float64 counts,
// and sums and differences of any two fit their integers.
inline constexpr std::int64_t kMostRows = std::int64_t{1} << 53;

// The rows whose rate fell into one cell. Means rather than sums: no cancellation on merging,
// whatever the loss's offset.
struct Cell {
  std::int64_t count = 0;      // rows with a usable loss
  std::int64_t nonfinite = 0;  // rows whose loss is NaN, infinite or beyond kLargestLoss
  double x = 0;                // mean of ln(lr) of the former, relative to the cell's centre
  double loss = 0;             // their mean loss
  double lowest = std::numeric_limits<double>::infinity();
  double highest = -std::numeric_limits<double>::infinity();
  std::int64_t first = std::numeric_limits<std::int64_t>::max();  // steps, of all rows
  std::int64_t last = std::numeric_limits<std::int64_t>::min();

  bool empty() const noexcept { return count + nonfinite == 0; }

  // Adds other rows, their steps moved by `shift`.
  void merge(const Cell& other, std::int64_t shift = 0) noexcept;
};

// Where in a log the first rate stood that is_rate() refuses, or kNoRow.
inline constexpr std::size_t kNoRow = std::numeric_limits<std::size_t>::max();

class State {
 public:
  State() = default;

  // Without rows; the first one to come has this number.
  explicit State(std::int64_t next_step) noexcept : next_step_(next_step) {}

  // As left behind by rows between the two rates, which lie in the first and the last cell.
  State(std::int64_t next_step, std::int64_t origin, std::vector<Cell> cells, double lowest_lr,
        double highest_lr) noexcept;

  // Those that follow throw std::invalid_argument, and change nothing, where there would be more
  // than kMostRows or a step would lie beyond.

  // Adds rows numbered from `first_step` on, in as many threads as asked for if there are rows
  // enough. Returns kNoRow, or the first row with a bad rate, in which case nothing was added.
  std::size_t add(const Column& lr, const Column& loss, std::size_t rows, std::int64_t first_step,
                  unsigned threads = 1);

  // Adds what another state saw; commutative and associative up to rounding.
  void merge(const State& other);

  // Adds what another state saw, with this number for its step 0: parts that counted from 0 can be
  // put one after another.
  void put(const State& other, std::int64_t first_step);

  // Forgets all rows but their number: what it keeps is its memory, and the step to come.
  void clear() noexcept;

  bool empty() const noexcept { return cells_.empty(); }
  std::int64_t origin() const noexcept { return origin_; }  // grid index of cells()[0]
  const std::vector<Cell>& cells() const noexcept { return cells_; }
  std::int64_t rows() const noexcept { return rows_; }
  std::int64_t nonfinite() const noexcept;
  double lowest_lr() const noexcept { return lowest_lr_; }        // infinity if empty
  double highest_lr() const noexcept { return highest_lr_; }      // 0 if empty
  std::int64_t next_step() const noexcept { return next_step_; }  // of the row to come

 private:
  // The part of a log between two rows, into an empty state.
  std::size_t scan(const Column& lr, const Column& loss, std::size_t from, std::size_t to,
                   std::int64_t first_step);
  template <typename Rate, typename Loss>
  std::size_t scan(const ColumnKernels<Rate, Loss>& kernels, const Column& lr, const Column& loss,
                   std::size_t from, std::size_t to, std::int64_t first_step);

  bool covers(std::int64_t cell) const noexcept {
    return cell >= origin_ && cell - origin_ < static_cast<std::int64_t>(cells_.size());
  }
  void cover(std::int64_t lowest, std::int64_t highest);
  void add_cells(const State& other, std::int64_t shift);

  std::int64_t origin_ = 0;
  std::vector<Cell> cells_;
  double lowest_lr_ = std::numeric_limits<double>::infinity();
  double highest_lr_ = 0;
  std::int64_t rows_ = 0;
  std::int64_t next_step_ = 0;
};

}  // namespace clrfast::analysis
