// The debiased exponential moving average, the curve that people know from learning-rate finders.
#pragma once

#include <cstddef>

namespace clrfast::analysis {

// Carries over from one stretch of a log to the next.
struct Ema {
  double beta;
  double sum = 0;     // beta * sum + (1 - beta) * loss
  double weight = 0;  // the same recurrence on ones: 1 - beta^t, which removes the bias of sum

  // Non-finite losses leave the average where it was (NaN before the first finite one).
  void run(const double* loss, std::size_t rows, double* smoothed) noexcept;
};

}  // namespace clrfast::analysis
