// What a log leaves behind: sufficient statistics on the absolute grid of ln(lr).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "analysis/column.hpp"

namespace clrfast::analysis {

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

  void merge(const Cell& other) noexcept;
};

// Where in a log the first rate stood that is_rate() refuses, or kNoRow.
inline constexpr std::size_t kNoRow = std::numeric_limits<std::size_t>::max();

class State {
 public:
  State() = default;

  // As left behind by rows between the two rates, which lie in the first and the last cell.
  State(std::int64_t origin, std::vector<Cell> cells, double lowest_lr, double highest_lr)
      : origin_(origin), cells_(std::move(cells)), lowest_lr_(lowest_lr), highest_lr_(highest_lr) {}

  // Adds rows numbered from `first_step` on, in as many threads as asked for if there are rows
  // enough. Returns kNoRow, or the first row with a bad rate, in which case nothing was added.
  std::size_t add(const Column& lr, const Column& loss, std::size_t rows, std::int64_t first_step,
                  unsigned threads = 1);

  // Adds what another state saw; commutative and associative up to rounding.
  void merge(const State& other);

  // Renumbers all rows, so that states of parts that counted from 0 can be put one after another.
  void shift_steps(std::int64_t by) noexcept;

  bool empty() const noexcept { return cells_.empty(); }
  std::int64_t origin() const noexcept { return origin_; }  // grid index of cells()[0]
  const std::vector<Cell>& cells() const noexcept { return cells_; }
  std::int64_t rows() const noexcept;
  std::int64_t nonfinite() const noexcept;
  double lowest_lr() const noexcept { return lowest_lr_; }    // infinity if empty
  double highest_lr() const noexcept { return highest_lr_; }  // 0 if empty

 private:
  // The part of a log between two rows, into an empty state.
  std::size_t scan(const Column& lr, const Column& loss, std::size_t from, std::size_t to,
                   std::int64_t first_step);
  void cover(std::int64_t lowest, std::int64_t highest);

  std::int64_t origin_ = 0;
  std::vector<Cell> cells_;
  double lowest_lr_ = std::numeric_limits<double>::infinity();
  double highest_lr_ = 0;
};

}  // namespace clrfast::analysis
