// What a log leaves behind: sufficient statistics on the absolute grid of ln(lr).
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace clrfast::analysis {

// The rows whose rate fell into one cell. Sums are kept as means and centred moments, and are
// combined by Chan, Golub and LeVeque's update: no cancellation, whatever the loss's offset.
struct Cell {
  std::int64_t count = 0;         // rows with a finite loss
  std::int64_t nonfinite = 0;     // rows whose loss is NaN, infinite or beyond kLargestLoss
  double x = 0;                   // mean of ln(lr) relative to the cell's centre
  double loss = 0;                // mean loss
  double xx = 0, xl = 0, ll = 0;  // sums of centred products of ln(lr) and loss
  double lowest = std::numeric_limits<double>::infinity();
  double highest = -std::numeric_limits<double>::infinity();
  std::int64_t first = std::numeric_limits<std::int64_t>::max();  // steps, of all rows
  std::int64_t last = std::numeric_limits<std::int64_t>::min();

  void add(double x_offset, double row_loss, std::int64_t step) noexcept;
  void merge(const Cell& other) noexcept;
};

// A larger loss counts as non-finite: it says no more than that, and its square would overflow.
inline constexpr double kLargestLoss = 1e100;

inline constexpr std::size_t kAllGood = std::numeric_limits<std::size_t>::max();

class State {
 public:
  // Adds rows numbered from `first_step`. Returns kAllGood, or the index of the first rate that is
  // not positive and finite, in which case nothing was added.
  std::size_t add(const double* lr, const double* loss, std::size_t rows, std::int64_t first_step);

  // Adds what another state saw; commutative and associative.
  void merge(const State& other);

  bool empty() const noexcept { return cells_.empty(); }
  std::int64_t origin() const noexcept { return origin_; }  // grid index of cells()[0]
  const std::vector<Cell>& cells() const noexcept { return cells_; }
  std::int64_t rows() const noexcept;
  std::int64_t nonfinite() const noexcept;
  double lowest_lr() const noexcept { return lowest_lr_; }
  double highest_lr() const noexcept { return highest_lr_; }

 private:
  void cover(std::int64_t lowest, std::int64_t highest);

  std::int64_t origin_ = 0;
  std::vector<Cell> cells_;
  double lowest_lr_ = std::numeric_limits<double>::infinity();
  double highest_lr_ = 0;
};

}  // namespace clrfast::analysis
