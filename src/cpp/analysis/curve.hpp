// The loss as a function of ln(lr): a local linear regression over the cells of a State.
#pragma once

#include <cstddef>
#include <vector>

namespace clrfast::analysis {

// Cells as the regression sees them, by rising x.
struct Points {
  std::vector<double> x;     // mean ln(lr)
  std::vector<double> loss;  // mean loss
  std::vector<double> rows;  // how many rows it is the mean of

  std::size_t size() const noexcept { return x.size(); }
};

// One entry a point.
struct Curve {
  std::vector<double> loss;      // fitted loss at x
  std::vector<double> loss_se;   // its standard error
  std::vector<double> slope;     // fitted d loss / d ln(lr) at x
  std::vector<double> slope_se;  // its standard error
};

// A window that holds fewer rows is widened until it does not.
inline constexpr double kFewestRows = 8;

// Each point's variance of one row, from how far its mean lies off the line between its neighbours
// (Gasser, Sroka and Jennen-Steinmetz, 1986): blind to the curve's level and slope.
std::vector<double> noise(const Points& points);

// Fits with an Epanechnikov kernel of half-width `window` in ln(lr). The noise may change along
// the curve: it is averaged under the same kernel.
Curve fit(const Points& points, double window);

}  // namespace clrfast::analysis
