#include "analysis/curve.hpp"

#include <algorithm>
#include <cmath>

namespace clrfast::analysis {
namespace {

// The half-width at point `i` under which there are enough rows, not below `window`.
double wide_enough(const Points& points, std::size_t i, double window) {
  const double x = points.x[i];
  const std::size_t size = points.size();
  std::size_t left = i, right = i + 1;  // the points taken so far
  double rows = points.rows[i];
  double reach = 0;
  // Takes the nearer neighbour each time, first those inside the window.
  while (rows < kFewestRows && (left > 0 || right < size)) {
    const double down = left > 0 ? x - points.x[left - 1] : HUGE_VAL;
    const double up = right < size ? points.x[right] - x : HUGE_VAL;
    reach = std::min(down, up);
    rows += points.rows[down <= up ? --left : right++];
  }
  return std::max(window, 1.01 * reach);  // so that the last point taken has some weight
}

}  // namespace

std::vector<double> noise(const Points& points, std::size_t begin, std::size_t end) {
  std::vector<double> variance(end - begin, 0.0);
  if (variance.size() < 3) return variance;
  const auto &x = points.x, &loss = points.loss, &rows = points.rows;
  for (std::size_t i = begin + 1; i + 1 < end; ++i) {
    const double t = (x[i] - x[i - 1]) / (x[i + 1] - x[i - 1]);
    const double off = (1 - t) * loss[i - 1] + t * loss[i + 1] - loss[i];
    variance[i - begin] =
        off * off / ((1 - t) * (1 - t) / rows[i - 1] + t * t / rows[i + 1] + 1 / rows[i]);
  }
  variance.front() = variance[1];
  variance.back() = variance[variance.size() - 2];
  return variance;
}

Curve fit(const Points& points, double window) {
  const std::size_t size = points.size();
  const std::vector<double> variance = noise(points, 0, size);
  Curve curve;
  for (auto* column : {&curve.loss, &curve.loss_se, &curve.slope, &curve.slope_se, &curve.lever})
    column->resize(size);
  std::size_t first = 0, last = 0;  // the points under the kernel, when it has its usual width
  for (std::size_t i = 0; i < size; ++i) {
    const double at = points.x[i];
    const double level = points.loss[i];  // taken off, so that no digits of small changes are lost
    const double width = wide_enough(points, i, window);
    std::size_t begin, end;
    if (width == window) {
      while (points.x[first] <= at - window) ++first;
      while (last < size && points.x[last] < at + window) ++last;
      begin = first;
      end = last;
    } else {
      for (begin = i; begin > 0 && points.x[begin - 1] > at - width;) --begin;
      for (end = i; end < size && points.x[end] < at + width;) ++end;
    }
    double kernels = 0, variances = 0;
    double s0 = 0, s1 = 0, s2 = 0, t0 = 0, t1 = 0, q0 = 0, q1 = 0, q2 = 0;
    for (std::size_t j = begin; j < end; ++j) {
      const double dx = points.x[j] - at;
      const double kernel = 1 - (dx / width) * (dx / width);
      const double weight = kernel * points.rows[j];
      const double loss = points.loss[j] - level;
      kernels += kernel;
      variances += kernel * variance[j];
      s0 += weight;
      s1 += weight * dx;
      s2 += weight * dx * dx;
      t0 += weight * loss;
      t1 += weight * loss * dx;
      q0 += kernel * weight;
      q1 += kernel * weight * dx;
      q2 += kernel * weight * dx * dx;
    }
    const double mean_x = s1 / s0;  // all relative to the point
    const double xx = s2 - s1 * mean_x;
    const double per_xx = xx > 1e-12 * s0 ? 1 / xx : 0;  // a single rate has no slope
    const double slope = (t1 - t0 * mean_x) * per_xx;
    curve.slope[i] = slope;
    curve.loss[i] = level + t0 / s0 - slope * mean_x;
    // The fit is a sum of row losses, each times kernel * (a + b * (dx - mean_x)).
    const double a = 1 / s0, b = -mean_x * per_xx;
    const double centred1 = q1 - mean_x * q0;
    const double centred2 = q2 - mean_x * (2 * q1 - mean_x * q0);
    const double row_variance = variances / kernels;
    curve.lever[i] = std::max(0.0, a * a * q0 + 2 * a * b * centred1 + b * b * centred2);
    curve.loss_se[i] = std::sqrt(row_variance * curve.lever[i]);
    curve.slope_se[i] = std::sqrt(row_variance * std::max(0.0, centred2)) * per_xx;
  }
  return curve;
}

}  // namespace clrfast::analysis
