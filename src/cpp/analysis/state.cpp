#include "analysis/state.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/grid.hpp"

namespace clrfast::analysis {

void Cell::add(double x_offset, double row_loss, std::int64_t step) noexcept {
  first = std::min(first, step);
  last = std::max(last, step);
  if (!(std::fabs(row_loss) <= kLargestLoss)) {
    ++nonfinite;
    return;
  }
  ++count;
  const double weight = 1.0 / static_cast<double>(count);
  const double dx = x_offset - x;
  const double dl = row_loss - loss;
  x += dx * weight;
  loss += dl * weight;
  xx += dx * (x_offset - x);
  xl += dx * (row_loss - loss);
  ll += dl * (row_loss - loss);
  lowest = std::min(lowest, row_loss);
  highest = std::max(highest, row_loss);
}

void Cell::merge(const Cell& other) noexcept {
  first = std::min(first, other.first);
  last = std::max(last, other.last);
  nonfinite += other.nonfinite;
  if (other.count == 0) return;
  const auto mine = static_cast<double>(count);
  const auto theirs = static_cast<double>(other.count);
  const double share = theirs / (mine + theirs);
  const double dx = other.x - x;
  const double dl = other.loss - loss;
  count += other.count;
  x += dx * share;
  loss += dl * share;
  xx += other.xx + dx * dx * mine * share;
  xl += other.xl + dx * dl * mine * share;
  ll += other.ll + dl * dl * mine * share;
  lowest = std::min(lowest, other.lowest);
  highest = std::max(highest, other.highest);
}

void State::cover(std::int64_t lowest, std::int64_t highest) {
  if (cells_.empty()) {
    origin_ = lowest;
    cells_.resize(static_cast<std::size_t>(highest - lowest + 1));
    return;
  }
  if (lowest < origin_) {
    cells_.insert(cells_.begin(), static_cast<std::size_t>(origin_ - lowest), Cell{});
    origin_ = lowest;
  }
  const auto size = static_cast<std::size_t>(highest - origin_ + 1);
  if (size > cells_.size()) cells_.resize(size);
}

std::size_t State::add(const double* lr, const double* loss, std::size_t rows,
                       std::int64_t first_step) {
  for (std::size_t i = 0; i < rows; ++i) {
    if (!(lr[i] > 0 && lr[i] <= std::numeric_limits<double>::max())) return i;
  }
  for (std::size_t i = 0; i < rows; ++i) {
    const std::int64_t cell = cell_of(lr[i]);
    cover(cell, cell);
    cells_[static_cast<std::size_t>(cell - origin_)].add(
        std::log(lr[i]) - cell_centre(cell), loss[i], first_step + static_cast<std::int64_t>(i));
    lowest_lr_ = std::min(lowest_lr_, lr[i]);
    highest_lr_ = std::max(highest_lr_, lr[i]);
  }
  return kAllGood;
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
