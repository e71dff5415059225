// The absolute grid of ln(lr) that every log shares, whatever its range: that is what makes the
// statistics of any two logs addable.
#pragma once

#include <cmath>
#include <cstdint>

namespace clrfast::analysis {

// Width of a cell in ln(lr), about 6 percent of the rate. A power of two, so that edges are exact.
inline constexpr double kCellWidth = 1.0 / 16;

inline double cell_edge(std::int64_t cell) noexcept {
  return std::exp(static_cast<double>(cell) * kCellWidth);
}

// In ln(lr).
inline double cell_centre(std::int64_t cell) noexcept {
  return (static_cast<double>(cell) + 0.5) * kCellWidth;
}

// The cell with cell_edge(cell) <= lr < cell_edge(cell + 1), for a positive finite rate. The edges
// decide, not the rounding of the logarithm, so that a search by edges finds the same cells.
inline std::int64_t cell_of(double lr) noexcept {
  auto cell = static_cast<std::int64_t>(std::floor(std::log(lr) / kCellWidth));
  while (lr < cell_edge(cell)) --cell;
  while (lr >= cell_edge(cell + 1)) ++cell;  // more than once among subnormal edges only
  return cell;
}

}  // namespace clrfast::analysis
