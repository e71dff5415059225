// The loops over rows; see simd/level.hpp. Those of every instruction set give the same bits.
#pragma once

#include <cstddef>

namespace clrfast::analysis {

// A larger loss counts as non-finite: it says no more than that, and its square would overflow.
inline constexpr double kLargestLoss = 1e100;

// Rows that smooth_block() takes at a time.
inline constexpr std::size_t kSmoothRows = 1024;

// Over those rows of one cell whose loss is usable.
struct RunSums {
  double rows;
  double difference;       // sum of loss - shift
  double offset;           // sum of the offsets in ln(lr) (cell_offset in grid.hpp)
  double lowest, highest;  // loss
};

// Rates at the start of a stretch that lie in one cell.
struct RateRun {
  std::size_t rows;
  double lowest, highest;
};

struct RowKernels {
  // How many rates from the start on lie in [low, high); NaN does not.
  RateRun (*rates_within)(const double* lr, std::size_t rows, double low, double high) noexcept;

  // `shift` must be one of the usable losses, and `inverse_centre` that of the rates' cell.
  RunSums (*sum_run)(const double* lr, const double* loss, std::size_t rows, double inverse_centre,
                     double shift) noexcept;

  // kSmoothRows steps of average = beta * average + (1 - beta) * loss, each stored in `smoothed`.
  // `powers` holds beta, beta^2, ... for an eighth of them. Returns false, and leaves `average` as
  // it is, if there is an unusable loss.
  bool (*smooth_block)(const double* loss, double beta, const double* powers, double* average,
                       double* smoothed) noexcept;
};

}  // namespace clrfast::analysis
