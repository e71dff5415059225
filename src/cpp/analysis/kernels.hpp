// The loops over rows; see simd/level.hpp. Those of every instruction set give the same bits, and
// rows of float32 give those of the same numbers as float64.
#pragma once

#include <cstddef>

namespace clrfast::analysis {

// A larger loss counts as non-finite: it says no more than that, and its square would overflow.
inline constexpr double kLargestLoss = 1e100;

// Whether a loss is finite and no larger than that. Static, because the files that are built for
// newer processors must keep their own copy to themselves; see simd/level.inl.
static inline bool usable(double loss) noexcept {
  return loss <= kLargestLoss && loss >= -kLargestLoss;
}

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

// For columns whose rates and losses are of these types, float or double.
template <typename Rate, typename Loss>
struct ColumnKernels {
  // How many rates from the start on lie in [low, high); NaN does not.
  RateRun (*rates_within)(const Rate* lr, std::size_t rows, double low, double high) noexcept;

  // `shift` must be one of the usable losses, and `inverse_centre` that of the rates' cell.
  RunSums (*sum_run)(const Rate* lr, const Loss* loss, std::size_t rows, double inverse_centre,
                     double shift) noexcept;
};

template <typename Loss>
struct SmoothKernel {
  // kSmoothRows steps of average = beta * average + (1 - beta) * loss, each stored in `smoothed`.
  // `powers` holds beta, beta^2, ... for an eighth of them. Returns false, and leaves `average` as
  // it is, if there is an unusable loss.
  bool (*smooth_block)(const Loss* loss, double beta, const double* powers, double* average,
                       double* smoothed) noexcept;
};

struct RowKernels {
  ColumnKernels<double, double> double_double;
  ColumnKernels<double, float> double_float;
  ColumnKernels<float, double> float_double;
  ColumnKernels<float, float> float_float;
  SmoothKernel<double> smooth_double;
  SmoothKernel<float> smooth_float;
};

}  // namespace clrfast::analysis
