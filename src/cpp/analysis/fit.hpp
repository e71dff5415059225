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

// Windows to choose from: each is half as wide as the one before it.
inline constexpr int kWindows = 5;
// In standard errors. 2 leaves twice the error of 1.4 at sharp turns; 1 follows noise where nothing
// turns.
inline constexpr double kAgree = 1.4;

// Variance of one row at each point from `begin` to `end`, from how far its mean lies off the line
// between its neighbours (Gasser, Sroka and Jennen-Steinmetz, Biometrika 73, 1986): blind to level
// and slope, and right where the rows of a cell depend on each other. 0 for fewer than three
// points.
std::vector<double> noise(const Points& points, std::size_t begin, std::size_t end);

// Fits with Epanechnikov's weight of half-width `window` > 0 in ln(lr). The noise may change along
// the curve: it is averaged with the same weight.
Fit fit(const Points& points, double window);

// A fit that follows sharp turns, from `wide`, which is fit(points, window). At each point the
// window is the widest one whose fit agrees with those in all narrower ones, within kAgree standard
// errors of each: the rule of intersecting confidence intervals (Goldenshluger and Nemirovski,
// Mathematical Methods of Statistics 6, 1997). So noise is averaged over `window` where the curve
// is straight. Where neighbours choose differently, their fits are mixed.
Fit refined(const Points& points, double window, const Fit& wide);

// The losses of a fit in one window everywhere.
std::vector<double> fitted_losses(const Points& points, double window);

}  // namespace clrfast::analysis
