// The debiased exponential moving average, the curve that people know from learning-rate finders.
#pragma once

#include <cstddef>

#include "analysis/column.hpp"
#include "analysis/kernels.hpp"

namespace clrfast::analysis {

// An unusable loss leaves the average where it was (NaN before the first usable one).
class Ema {
 public:
  explicit Ema(double beta) noexcept : beta_(beta) {}

  // Goes on from the rows before; `smoothed` takes the average after each row.
  void run(const Column& loss, std::size_t rows, double* smoothed) noexcept;

 private:
  template <typename T>
  void run(const SmoothKernel<T>& kernel, const Column& loss, std::size_t rows,
           double* smoothed) noexcept;

  double beta_;
  double average_ = 0;  // beta * average + (1 - beta) * loss, for each usable loss
  double weight_ = 0;   // the same recurrence on ones, 1 - beta^t: dividing by it removes the bias
  double decay_ = 1;    // beta^t
};

}  // namespace clrfast::analysis
