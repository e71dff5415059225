// Which window to fit in at each point, so that sharp turns are followed and noise is averaged.
#pragma once

#include <cstddef>
#include <vector>

#include "analysis/lines.hpp"

namespace clrfast::analysis {

// Windows to choose from: each is half as wide as the one before it.
inline constexpr int kWindows = 5;
// In standard errors. 2 leaves twice the error of 1.4 at sharp turns; 1 follows noise where nothing
// turns.
inline constexpr double kAgree = 1.4;

// As many of them, from the narrowest on, as hold enough rows in the mean.
std::vector<double> windows_up_to(double widest, const Neighbours& points);

// The share of each of the windows at each point, a column each. The one chosen is the widest whose
// fit agrees with those in all narrower ones, within kAgree standard errors of each: the rule of
// intersecting confidence intervals (Goldenshluger and Nemirovski, Mathematical Methods of
// Statistics 6, 1997). Where neighbours choose differently, each of their windows has a share.
// `variance` is that of one row at each point, `wide` and `fitted` are the lines in the widest
// window and their losses.
std::vector<double> window_shares(const Neighbours& points, const std::vector<double>& windows,
                                  const std::vector<double>& loss,
                                  const std::vector<double>& variance, const Lines& wide,
                                  const std::vector<double>& fitted);

}  // namespace clrfast::analysis
