// The loss as a function of ln(lr): a local linear regression over cells.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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
  std::vector<double> noise;     // variance of one row, of this point alone
};

// A window that holds fewer rows is widened until it does not.
inline constexpr double kFewestRows = 8;

// Variance of one row at each point from `begin` to `end`, from how far its mean lies off the line
// between its neighbours (Gasser, Sroka and Jennen-Steinmetz, Biometrika 73, 1986): blind to level
// and slope, and right where the rows of a cell depend on each other. 0 for fewer than three
// points.
std::vector<double> noise(const Points& points, std::size_t begin, std::size_t end);

// Local linear regression of losses at the rates of points, whose own losses are not looked at:
// what depends on rates and rows alone is found once for all losses, and for all points in a row
// that a thread fits, such as those of runs with one ramp.
class Regression {
 public:
  // Epanechnikov's weight of half-width `window` > 0 in ln(lr).
  Regression(const Points& points, double window);

  // In one window everywhere. The noise may change along the curve: it is averaged with the same
  // weight.
  Fit fit(const std::vector<double>& loss) const;

  // A fit that follows sharp turns, from `wide`, which is fit(loss): in narrower windows where
  // these tell of something else (window_choice.hpp). So noise is averaged over `window` where the
  // curve is straight. Where neighbours choose differently, their fits are mixed.
  Fit refined(const std::vector<double>& loss, const Fit& wide) const;

 private:
  struct Ground;

  std::shared_ptr<Ground> ground_;
};

// The same for the points' own losses.
Fit fit(const Points& points, double window);

}  // namespace clrfast::analysis
