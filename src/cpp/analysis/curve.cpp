#include "analysis/curve.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/grid.hpp"

namespace clrfast::analysis {
namespace {

constexpr double kFewestRows = 8;

// A cell as the fit sees it: its mean position in ln(lr), with its loss held under the ceiling.
struct Point {
  double x, loss, rows, xx, xl, ll;
};

struct Fit {
  double loss, loss_se, slope, slope_se, noise;
  bool good;
};

Fit fit_at(const std::vector<Point>& points, double x0, double window) {
  const auto first = std::lower_bound(points.begin(), points.end(), x0 - window,
                                      [](const Point& p, double x) { return p.x < x; });
  const auto last = std::upper_bound(points.begin(), points.end(), x0 + window,
                                     [](double x, const Point& p) { return x < p.x; });
  const auto kernel = [=](const Point& p) {
    const double u = (p.x - x0) / window;
    return std::max(0.0, 1 - u * u);
  };
  double weight = 0, squared = 0, x = 0, loss = 0;
  for (auto p = first; p != last; ++p) {
    const double k = kernel(*p) * p->rows;
    weight += k;
    squared += kernel(*p) * k;
    x += k * (p->x - x0);
    loss += k * p->loss;
  }
  if (!(weight > 0)) return {0, 0, 0, 0, 0, false};
  x /= weight;
  loss /= weight;
  double xx = 0, xl = 0, ll = 0, xx_squared = 0;
  for (auto p = first; p != last; ++p) {
    const double k = kernel(*p);
    const double dx = p->x - x0 - x;
    const double dl = p->loss - loss;
    xx += k * (p->xx + p->rows * dx * dx);
    xl += k * (p->xl + p->rows * dx * dl);
    ll += k * (p->ll + p->rows * dl * dl);
    xx_squared += k * k * (p->xx + p->rows * dx * dx);
  }
  // Two parameters are fitted, so a line through fewer than three rows has no error to speak of.
  const double rows = weight * weight / squared;
  if (!(xx > 0) || rows <= 2.5) return {loss, 0, 0, 0, 0, false};
  const double slope = xl / xx;
  const double variance = std::max(0.0, ll - slope * xl) / weight * rows / (rows - 2);
  const double mean_variance = variance * squared / (weight * weight);
  const double slope_variance = variance * xx_squared / (xx * xx);
  return {loss - slope * x,
          std::sqrt(mean_variance + x * x * slope_variance),
          slope,
          std::sqrt(slope_variance),
          std::sqrt(variance),
          rows >= kFewestRows};
}

}  // namespace

double default_window(double span) noexcept { return std::min(1.0, std::max(0.25, span / 12)); }

Curve fit_curve(const State& state, double window, double ceiling) {
  std::vector<Point> points;
  std::int64_t index = state.origin();
  std::vector<std::int64_t> indices;
  for (const Cell& cell : state.cells()) {
    if (cell.count > 0) {
      const bool above = cell.loss > ceiling;
      points.push_back({cell_centre(index) + cell.x, above ? ceiling : cell.loss,
                        static_cast<double>(cell.count), cell.xx, above ? 0 : cell.xl,
                        above ? 0 : cell.ll});
      indices.push_back(index);
    }
    ++index;
  }
  Curve curve;
  curve.window = window;
  if (points.empty()) return curve;
  const double lowest = points.front().x;
  const double highest = points.back().x;
  for (index = indices.front(); index <= indices.back(); ++index) {
    const double x0 = std::min(highest, std::max(lowest, cell_centre(index)));
    double width = window;
    Fit fit = fit_at(points, x0, width);
    while (!fit.good && width < highest - lowest) fit = fit_at(points, x0, width *= 1.25);
    curve.x.push_back(x0);
    curve.loss.push_back(fit.loss);
    curve.loss_se.push_back(fit.loss_se);
    curve.slope.push_back(fit.slope);
    curve.slope_se.push_back(fit.slope_se);
    curve.noise.push_back(fit.noise);
  }
  return curve;
}

}  // namespace clrfast::analysis
