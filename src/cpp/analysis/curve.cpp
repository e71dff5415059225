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
  while (rows < kFewestRows && (left > 0 || right < size)) {
    const double down = left > 0 ? x - points.x[left - 1] : HUGE_VAL;
    const double up = right < size ? points.x[right] - x : HUGE_VAL;
    reach = std::min(down, up);
    rows += points.rows[down <= up ? --left : right++];
  }
  return std::max(window, 1.01 * reach);  // so that the last point taken has some weight
}

// Sums of value * d^0 ... value * d^kDegree, for points at d from a centre.
template <int kDegree>
struct Moments {
  double sum[kDegree + 1] = {};

  void add(double d, double value) noexcept {
    for (double& each : sum) {
      each += value;
      value *= d;
    }
  }

  // To a centre that lies `step` further right: d becomes d - step.
  void move(double step) noexcept {
    for (int from = kDegree; from > 0; --from) {
      for (int k = from; k <= kDegree; ++k) sum[k] -= step * sum[k - 1];
    }
  }
};

// Everything that a fit takes of the points under its kernel 1 - d^2, d in units of its half-width:
// a polynomial, so that moments give all its sums, and can follow the kernel from point to point.
class Sums {
 public:
  Sums(const Points& points, const std::vector<double>& variance) noexcept
      : points_(&points), variance_(&variance) {}

  // Moves to point `i`; anew where going on from the last point would cost digits.
  void move_to(std::size_t i, double width) noexcept {
    const std::vector<double>& x = points_->x;
    if (width != width_ || moves_ == kMostMoves) {
      begin_ = i;
      while (begin_ > 0 && x[begin_ - 1] > x[i] - width) --begin_;
      restart(i, width);
    } else {
      const double step = (x[i] - x[centre_]) * per_width_;
      rows_.move(step);
      losses_.move(step);
      points_in_.move(step);
      variances_.move(step);
      centre_ = i;
      ++moves_;
    }
    double rows = 0, losses = 0;  // that go out
    for (; x[begin_] <= x[i] - width; ++begin_) {
      rows += points_->rows[begin_];
      losses += points_->rows[begin_] * std::fabs(points_->loss[begin_] - level_);
      add(begin_, -1);
    }
    if (rows > kMuch * rows_.sum[0] || losses > kMuch * std::fabs(losses_.sum[0]))
      restart(i, width);
    while (end_ < x.size() && x[end_] < x[i] + width) add(end_++, 1);
  }

  // At point `i`, to which the last call moved.
  void fit(std::size_t i, Curve& curve) const noexcept {
    const double* a = rows_.sum;
    const double* b = losses_.sum;
    // Sums over rows of kernel * d^k, of kernel * loss * d^k and of kernel^2 * d^k.
    const double s0 = a[0] - a[2], s1 = a[1] - a[3], s2 = a[2] - a[4];
    const double t0 = b[0] - b[2], t1 = b[1] - b[3];
    const double q0 = a[0] - 2 * a[2] + a[4], q1 = a[1] - 2 * a[3] + a[5];
    const double q2 = a[2] - 2 * a[4] + a[6];
    const double mean = s1 / s0;
    const double dd = s2 - s1 * mean;
    const double per_dd = dd > 1e-12 * s0 ? 1 / dd : 0;  // a single rate has no slope
    const double slope = (t1 - t0 * mean) * per_dd;
    curve.loss[i] = level_ + t0 / s0 - slope * mean;
    curve.slope[i] = slope * per_width_;
    // The fitted loss is a sum of losses, each times kernel * (p + q * (d - mean)).
    const double p = 1 / s0, q = -mean * per_dd;
    const double centred1 = q1 - mean * q0;
    const double centred2 = std::max(0.0, q2 - mean * (2 * q1 - mean * q0));
    const double variance = std::max(
        0.0, (variances_.sum[0] - variances_.sum[2]) / (points_in_.sum[0] - points_in_.sum[2]));
    curve.lever[i] = std::max(0.0, p * p * q0 + 2 * p * q * centred1 + q * q * centred2);
    curve.loss_se[i] = std::sqrt(variance * curve.lever[i]);
    curve.slope_se[i] = std::sqrt(variance * centred2) * per_dd * per_width_;
  }

 private:
  static constexpr int kMostMoves = 64;
  static constexpr double kMuch = 1e3;

  void restart(std::size_t i, double width) noexcept {
    rows_ = {};
    losses_ = {};
    points_in_ = {};
    variances_ = {};
    centre_ = i;
    width_ = width;
    per_width_ = 1 / width;
    level_ = points_->loss[i];  // taken off, so that no digits of small changes are lost
    moves_ = 0;
    end_ = begin_;
  }

  void add(std::size_t j, double sign) noexcept {
    const double d = (points_->x[j] - points_->x[centre_]) * per_width_;
    const double rows = sign * points_->rows[j];
    rows_.add(d, rows);
    losses_.add(d, rows * (points_->loss[j] - level_));
    points_in_.add(d, sign);
    variances_.add(d, sign * (*variance_)[j]);
  }

  const Points* points_;
  const std::vector<double>* variance_;
  Moments<6> rows_;
  Moments<3> losses_;
  Moments<2> points_in_, variances_;
  std::size_t centre_ = 0, begin_ = 0, end_ = 0;  // the points from begin_ to end_ are in the sums
  double width_ = 0, per_width_ = 0, level_ = 0;
  int moves_ = 0;
};

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
  Sums sums(points, variance);
  for (std::size_t i = 0; i < size; ++i) {
    sums.move_to(i, wide_enough(points, i, window));
    sums.fit(i, curve);
  }
  return curve;
}

}  // namespace clrfast::analysis
