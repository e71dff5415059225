// Smoothers of a whole column, beside the debiased average of ema.hpp and the fit of curve.hpp.
#pragma once

#include <cstddef>

#include "analysis/column.hpp"

namespace clrfast::analysis {

// The mean of all losses so far, each weighing half as much as one a `half_life` further on in
// ln(lr), up or down: an average that does not depend on how densely a ramp was sampled. Unusable
// losses weigh nothing; NaN before the first usable one. Returns kNoRow, or the first row with a
// bad rate, from which on nothing was written.
std::size_t ema_by_half_life(const Column& lr, const Column& loss, std::size_t rows,
                             double half_life, double* smoothed) noexcept;

// The median of the usable losses among the `width` rows around each row, of which there are fewer
// at the ends; NaN if there are none. `width` is odd. Takes O(width) a row at worst.
void running_median(const Column& loss, std::size_t rows, std::size_t width, double* smoothed);

}  // namespace clrfast::analysis
