// The loss as a function of ln(lr): a local linear regression over cells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace clrfast::analysis {

// Cells with a usable loss, by rising rate.
struct Points {
  std::vector<std::int64_t> index;  // on the grid
  std::vector<double> x;            // mean ln(lr)
  std::vector<double> loss;         // mean loss
  std::vector<double> rows;         // how many rows these are means of

  std::size_t size() const noexcept { return x.size(); }
};

// The fitted curve, one entry a point.
struct Fit {
  std::vector<double> loss;      // fitted loss at x
  std::vector<double> loss_se;   // its standard error
  std::vector<double> slope;     // fitted d loss / d ln(lr) at x
  std::vector<double> slope_se;  // its standard error
  std::vector<double> lever;     // variance of the fitted loss in units of the variance of one row
};

// A window that holds fewer rows is widened until it does not.
inline constexpr double kFewestRows = 8;

// Variance of one row at each point from `begin` to `end`, from how far its mean lies off the line
// between its neighbours (Gasser, Sroka and Jennen-Steinmetz, Biometrika 73, 1986): blind to level
// and slope, and right where the rows of a cell depend on each other. 0 for fewer than three
// points.
std::vector<double> noise(const Points& points, std::size_t begin, std::size_t end);

// Fits with Epanechnikov's weight of half-width `window` > 0 in ln(lr). The noise may change along
// the curve: it is averaged with the same weight.
Fit fit(const Points& points, double window);

// The losses of that fit alone, in half the time.
std::vector<double> fitted_losses(const Points& points, double window);

}  // namespace clrfast::analysis
