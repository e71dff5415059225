#include "analysis/smooth.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/grid.hpp"
#include "analysis/kernels.hpp"
#include "analysis/state.hpp"

namespace clrfast::analysis {
namespace {

bool usable(double loss) noexcept { return std::fabs(loss) <= kLargestLoss; }

}  // namespace

std::size_t ema_by_half_life(const Column& lr, const Column& loss, std::size_t rows,
                             double half_life, double* smoothed) noexcept {
  double lr_scratch[kBlockRows], loss_scratch[kBlockRows];
  double sum = 0, weight = 0, x = 0;
  for (std::size_t start = 0; start < rows; start += kBlockRows) {
    const std::size_t count = std::min(kBlockRows, rows - start);
    const double* rates = lr.read(start, count, lr_scratch);
    const double* losses = loss.read(start, count, loss_scratch);
    for (std::size_t i = 0; i < count; ++i) {
      if (!is_rate(rates[i])) return start + i;
      const double before = x;
      x = std::log(rates[i]) / half_life;
      const double decay = std::exp2(-std::fabs(x - before));  // of nothing yet at the first row
      sum *= decay;
      weight *= decay;
      if (usable(losses[i])) {
        sum += losses[i];
        weight += 1;
      }
      smoothed[start + i] = sum / weight;
    }
  }
  return kNoRow;
}

void running_median(const Column& loss, std::size_t rows, std::size_t width, double* smoothed) {
  const auto value = [&](std::size_t row) {
    double scratch;
    return *loss.read(row, 1, &scratch);
  };
  std::vector<double> window;  // sorted
  window.reserve(std::min(width, rows) + 1);
  const std::size_t half = width / 2;
  std::size_t end = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    for (; end < std::min(rows, row + half + 1); ++end) {
      const double in = value(end);
      if (usable(in)) window.insert(std::upper_bound(window.begin(), window.end(), in), in);
    }
    if (row > half) {
      const double out = value(row - half - 1);
      if (usable(out)) window.erase(std::lower_bound(window.begin(), window.end(), out));
    }
    const std::size_t size = window.size();
    smoothed[row] = size == 0       ? std::numeric_limits<double>::quiet_NaN()
                    : size % 2 == 1 ? window[size / 2]
                                    : (window[size / 2 - 1] + window[size / 2]) / 2;
  }
}

}  // namespace clrfast::analysis
