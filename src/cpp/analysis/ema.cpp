#include "analysis/ema.hpp"

#include <cmath>

namespace clrfast::analysis {

void Ema::run(const double* loss, std::size_t rows, double* smoothed) noexcept {
  for (std::size_t i = 0; i < rows; ++i) {
    if (std::isfinite(loss[i])) {
      sum = beta * sum + (1 - beta) * loss[i];
      weight = beta * weight + (1 - beta);
    }
    smoothed[i] = sum / weight;
  }
}

}  // namespace clrfast::analysis
