// The loss as a function of ln(lr): a local linear regression over the cells of a State.
#pragma once

#include <cstddef>
#include <vector>

#include "analysis/state.hpp"

namespace clrfast::analysis {

// One entry per cell, from the lowest to the highest that holds a finite loss.
struct Curve {
  std::vector<double> x;         // ln(lr): the cell's centre, or the end of the data within it
  std::vector<double> loss;      // fitted loss at x
  std::vector<double> loss_se;   // its standard error
  std::vector<double> slope;     // fitted d loss / d ln(lr) at x
  std::vector<double> slope_se;  // its standard error
  std::vector<double> noise;     // standard deviation of one row about the fit, near x
  double window = 0;             // half-width of the kernel in ln(lr)

  std::size_t size() const noexcept { return x.size(); }
};

// Half-width of the kernel for a log that spans `span` in ln(lr).
double default_window(double span) noexcept;

// Fits with an Epanechnikov kernel of half-width `window`, made wider wherever fewer rows than a
// line needs would fall under it. Cells whose mean loss exceeds `ceiling` count as lying on it:
// a diverged loss has no level worth fitting. Empty if no cell holds a finite loss.
Curve fit_curve(const State& state, double window, double ceiling);

}  // namespace clrfast::analysis
