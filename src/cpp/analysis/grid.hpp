// The absolute grid of ln(lr) that every log shares, whatever its range: that is what makes the
// statistics of any two logs addable.
#pragma once

#include <cmath>
#include <cstdint>

namespace clrfast::analysis {

// Rates beyond these are no learning rates, and would only bring subnormal arithmetic.
inline constexpr double kLowestRate = 1e-300;
inline constexpr double kHighestRate = 1e300;

inline bool is_rate(double lr) noexcept { return lr >= kLowestRate && lr <= kHighestRate; }

inline constexpr int kCellsPerDecade = 64;
inline constexpr double kDecade = 2.302585092994046;  // ln(10)

// Width of a cell in ln(lr): 3.7 percent of the rate.
inline constexpr double kCellWidth = kDecade / kCellsPerDecade;

// Grid indices of kLowestRate and kHighestRate.
inline constexpr std::int64_t kLowestCell = -300 * kCellsPerDecade;
inline constexpr std::int64_t kHighestCell = 300 * kCellsPerDecade;

// In ln(lr). Cells are centred on multiples of their width, so that powers of ten lie in the middle
// of one and not on a border.
inline double cell_centre(std::int64_t cell) noexcept {
  return static_cast<double>(cell) * kCellWidth;
}

// The rate at the lower edge of a cell from kLowestCell to kHighestCell + 1; from a table.
double cell_edge(std::int64_t cell) noexcept;

// The cell with cell_edge(cell) <= lr < cell_edge(cell + 1), for a rate. The edges decide, not the
// rounding of the logarithm, so that a search by edges finds the same cells.
inline std::int64_t cell_of(double lr) noexcept {
  auto cell = static_cast<std::int64_t>(std::floor(std::log(lr) / kCellWidth + 0.5));
  if (lr < cell_edge(cell)) --cell;
  if (lr >= cell_edge(cell + 1)) ++cell;
  return cell;
}

// 1 / the rate at the cell's centre.
inline double inverse_centre(std::int64_t cell) noexcept {
  constexpr double kHalfCell = 1.0181517217181818;  // exp(kCellWidth / 2)
  return 1 / (cell_edge(cell) * kHalfCell);
}

// ln(lr) relative to the cell's centre, without a logarithm: the series up to u^4, which is within
// 4e-10 of it in a cell, and nearer to the centre, so that cells stay in order. The kernels repeat
// this line.
inline double cell_offset(double lr, double inverse_centre) noexcept {
  const double u = lr * inverse_centre - 1;
  return u * (1 - u * (0.5 - u * (1.0 / 3 - u * 0.25)));
}

}  // namespace clrfast::analysis
