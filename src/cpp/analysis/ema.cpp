#include "analysis/ema.hpp"

#include <algorithm>

#include "analysis/kernels.hpp"
#include "simd/level.hpp"

namespace clrfast::analysis {

void Ema::run(const Column& loss, std::size_t rows, double* smoothed) noexcept {
  const RowKernels& kernels = simd::level().rows;
  if (loss.dense_single()) {
    run(kernels.smooth_float, loss, rows, smoothed);
  } else {
    run(kernels.smooth_double, loss, rows, smoothed);
  }
}

template <typename T>
void Ema::run(const SmoothKernel<T>& kernel, const Column& loss, std::size_t rows,
              double* smoothed) noexcept {
  constexpr double kNothing = 1e-17;  // a weight that differs from 1 by less is 1
  double powers[kSmoothRows / 8];
  double power = 1;
  for (double& each : powers) each = power *= beta_;
  double scratch[kSmoothRows];
  for (std::size_t start = 0; start < rows; start += kSmoothRows) {
    const std::size_t count = std::min(kSmoothRows, rows - start);
    const T* losses = loss.read<T>(start, count, scratch);
    double* out = smoothed + start;
    if (decay_ < kNothing && count == kSmoothRows &&
        kernel.smooth_block(losses, beta_, powers, &average_, out)) {
      continue;
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (usable(losses[i])) {
        average_ = beta_ * average_ + (1 - beta_) * losses[i];
        weight_ = beta_ * weight_ + (1 - beta_);
        decay_ *= beta_;
        if (decay_ < kNothing) weight_ = 1;
      }
      out[i] = average_ / weight_;
    }
  }
}

}  // namespace clrfast::analysis
