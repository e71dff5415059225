#include "analysis/fit.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "analysis/grid.hpp"

namespace clrfast::analysis {
namespace {

constexpr double kApart = 8 * kCellWidth;  // a window is chosen every so far, about, ...
constexpr double kMixed = 8 * kCellWidth;  // ... and choices this near are mixed

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
};

// Epanechnikov's weight 1 - (d - at)^2: a polynomial in d, so that moments give all sums over it.
struct Weight {
  double constant, linear;  // its coefficients; that of d^2 is -1

  explicit Weight(double at) noexcept : constant(1 - at * at), linear(2 * at) {}

  // The sum of value * d^k * weight.
  double sum(const double* moments, int k) const noexcept {
    return constant * moments[k] + linear * moments[k + 1] - moments[k + 2];
  }

  // The sum of value * d^k * weight^2.
  double sum_squared(const double* moments, int k) const noexcept {
    return constant * sum(moments, k) + linear * sum(moments, k + 1) - sum(moments, k + 2);
  }
};

struct Band {
  double loss, reach;
};

// Everything that a fit takes of the points in its window, whose half-width is the unit of d. The
// moments' centre lies ahead, and stays while the window passes over it.
template <bool kErrors>
class Sums {
 public:
  // `variance` is used for errors only.
  Sums(const Points& points, const double* variance) noexcept
      : points_(&points), variance_(variance) {}

  // Moves to point `i`, which follows the last one.
  void move_to(std::size_t i, double width) noexcept {
    const std::vector<double>& x = points_->x;
    if (width != width_ || x[i] > centre_ + width) {
      begin_ = i;
      while (begin_ > 0 && x[begin_ - 1] > x[i] - width) --begin_;
      restart(i, width);
    }
    double rows = 0, losses = 0;  // that go out
    for (; x[begin_] <= x[i] - width; ++begin_) {
      rows += points_->rows[begin_];
      losses += points_->rows[begin_] * std::fabs(points_->loss[begin_] - level_);
      add(begin_, -1);
    }
    // What stays of sums that were mostly these, or of much higher losses, has lost its digits.
    if (rows > kMuch * rows_.sum[0] || losses > kMuch * std::fabs(losses_.sum[0]) ||
        std::fabs(level_) > kMuch * std::fabs(points_->loss[i]))
      restart(i, width);
    while (end_ < x.size() && x[end_] < x[i] + width) add(end_++, 1);
  }

  // The fitted loss at point `i`, to which the last call moved, and about how far it may be off:
  // kAgree standard errors, from the sums of variances before each point. An upper bound at
  // borders.
  Band band(std::size_t i, const std::vector<double>& variances_before) const noexcept {
    const double at = (points_->x[i] - centre_) * per_width_;
    const Weight weight(at);
    const double *a = rows_.sum, *b = losses_.sum;
    const double per_s0 = 1 / weight.sum(a, 0);
    const double mean = weight.sum(a, 1) * per_s0;
    const double dd = weight.sum(a, 2) * per_s0 - mean * mean;
    const double off = at - mean, per_dd = dd > 1e-12 ? 1 / dd : 0;
    const double loss = weight.sum(b, 0) * per_s0;
    const double slope = (weight.sum(b, 1) * per_s0 - loss * mean) * per_dd;
    const double lever = (weight.sum_squared(a, 0) * per_s0 + off * off * per_dd) * per_s0;
    const double variance =
        (variances_before[end_] - variances_before[begin_]) / static_cast<double>(end_ - begin_);
    return {level_ + loss + slope * off, kAgree * std::sqrt(std::max(0.0, variance * lever))};
  }

  // At point `i`, to which the last call moved.
  void fit(std::size_t i, Fit& fitted) const noexcept {
    const double at = (points_->x[i] - centre_) * per_width_;
    const Weight weight(at);
    const double *a = rows_.sum, *b = losses_.sum;
    const double s0 = weight.sum(a, 0), s1 = weight.sum(a, 1), s2 = weight.sum(a, 2);
    const double t0 = weight.sum(b, 0), t1 = weight.sum(b, 1);
    const double per_s0 = 1 / s0;
    const double mean = s1 * per_s0;
    const double dd = s2 - s1 * mean;
    const double per_dd = dd > 1e-12 * s0 ? 1 / dd : 0;  // a single rate has no slope
    const double slope = (t1 - t0 * mean) * per_dd;
    fitted.loss[i] = level_ + t0 * per_s0 + slope * (at - mean);
    if constexpr (kErrors) {
      fitted.slope[i] = slope * per_width_;
      // The fitted loss is a sum of losses, each times weight * (per_s0 + q * (d - mean)).
      const double q = (at - mean) * per_dd;
      const double q0 = weight.sum_squared(a, 0), q1 = weight.sum_squared(a, 1);
      const double centred1 = q1 - mean * q0;
      const double centred2 = std::max(0.0, weight.sum_squared(a, 2) - mean * (2 * q1 - mean * q0));
      const double variance =
          std::max(0.0, weight.sum(variances_.sum, 0) / weight.sum(points_in_.sum, 0));
      fitted.lever[i] = std::max(0.0, per_s0 * (per_s0 * q0 + 2 * q * centred1) + q * q * centred2);
      fitted.loss_se[i] = std::sqrt(variance * fitted.lever[i]);
      fitted.slope_se[i] = std::sqrt(variance * centred2) * per_dd * per_width_;
    }
  }

 private:
  static constexpr double kMuch = 1e3;

  void restart(std::size_t i, double width) noexcept {
    rows_ = {};
    losses_ = {};
    points_in_ = {};
    variances_ = {};
    centre_ = points_->x[i] + width;
    width_ = width;
    per_width_ = 1 / width;
    level_ = points_->loss[i];  // taken off, so that no digits of small changes are lost
    end_ = begin_;
  }

  void add(std::size_t j, double sign) noexcept {
    const double d = (points_->x[j] - centre_) * per_width_;
    const double rows = sign * points_->rows[j];
    rows_.add(d, rows);
    losses_.add(d, rows * (points_->loss[j] - level_));
    if constexpr (kErrors) {
      points_in_.add(d, sign);
      variances_.add(d, sign * variance_[j]);
    }
  }

  const Points* points_;
  const double* variance_;
  Moments<kErrors ? 6 : 4> rows_;
  Moments<3> losses_;
  Moments<2> points_in_, variances_;
  std::size_t begin_ = 0, end_ = 0;  // the points from begin_ to end_ are in the sums
  double centre_ = 0, width_ = 0, per_width_ = 0, level_ = 0;
};

template <bool kErrors>
void fit_all(const Points& points, double window, const double* variance, Fit& fitted) {
  Sums<kErrors> sums(points, variance);
  for (std::size_t i = 0; i < points.size(); ++i) {
    sums.move_to(i, wide_enough(points, i, window));
    sums.fit(i, fitted);
  }
}

constexpr auto kColumns = {&Fit::loss, &Fit::loss_se, &Fit::slope, &Fit::slope_se, &Fit::lever};

void resize(Fit& fit, std::size_t size) {
  for (const auto column : kColumns) (fit.*column).resize(size);
}

// The windows to choose from, from the narrowest on: half as wide each time, as long as they hold
// enough rows in the mean.
std::vector<double> windows_of(const Points& points, double widest) {
  double rows = 0;
  for (const double count : points.rows) rows += count;
  const double span = points.size() > 0 ? points.x.back() - points.x.front() : 0;
  std::vector<double> windows{widest};
  while (windows.size() < kWindows && 2 * rows * windows.back() >= kFewestRows * span)
    windows.push_back(windows.back() / 2);
  std::reverse(windows.begin(), windows.end());
  return windows;
}

// Which of the windows is chosen, at every `stride`-th point.
std::vector<std::size_t> choices(const Points& points, const std::vector<double>& windows,
                                 const std::vector<double>& variance, std::size_t stride) {
  const std::size_t size = points.size();
  std::vector<double> before(size + 1, 0.0);
  for (std::size_t i = 0; i < size; ++i) before[i + 1] = before[i] + variance[i];
  struct Agreed {
    double low = -HUGE_VAL, high = HUGE_VAL;
  };
  std::vector<Agreed> agreed((size + stride - 1) / stride);
  std::vector<std::size_t> chosen(agreed.size(), 0);
  for (std::size_t k = 0; k < windows.size(); ++k) {
    Sums<false> sums(points, nullptr);
    for (std::size_t j = 0; j < chosen.size(); ++j) {
      const std::size_t i = j * stride;
      sums.move_to(i, wide_enough(points, i, windows[k]));
      const Band band = sums.band(i, before);
      Agreed& all = agreed[j];
      all = {std::max(all.low, band.loss - band.reach), std::min(all.high, band.loss + band.reach)};
      if (all.low <= all.high) chosen[j] = k;  // once they disagree, they always do
    }
  }
  return chosen;
}

// The share of a window at each point: how many of the choices nearby it is, near ones counting
// more.
void shares_of(std::size_t window, const Points& points, const std::vector<std::size_t>& chosen,
               std::size_t stride, std::vector<double>& shares) {
  std::size_t begin = 0, end = 0;  // choices
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double x = points.x[i];
    while (begin < chosen.size() && points.x[begin * stride] <= x - kMixed) ++begin;
    end = std::max(end, begin);
    while (end < chosen.size() && points.x[end * stride] < x + kMixed) ++end;
    double sum = 0, of_window = 0;
    for (std::size_t j = begin; j < end; ++j) {
      const double d = (points.x[j * stride] - x) / kMixed;
      const double weight = 1 - d * d;
      sum += weight;
      if (chosen[j] == window) of_window += weight;
    }
    shares[i] = begin < end ? of_window / sum : chosen[i / stride] == window ? 1.0 : 0.0;
  }
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

std::vector<double> fitted_losses(const Points& points, double window) {
  Fit fitted;
  fitted.loss.resize(points.size());
  fit_all<false>(points, window, nullptr, fitted);
  return std::move(fitted.loss);
}

Fit fit(const Points& points, double window) {
  const std::vector<double> variance = noise(points, 0, points.size());
  Fit fitted;
  resize(fitted, points.size());
  fit_all<true>(points, window, variance.data(), fitted);
  return fitted;
}

Fit refined(const Points& points, double window, const Fit& wide) {
  const std::size_t size = points.size();
  if (size < 2) return wide;
  const double apart = (points.x.back() - points.x.front()) / static_cast<double>(size - 1);
  const auto stride = static_cast<std::size_t>(std::max(1.0, kApart / apart));
  const std::vector<double> windows = windows_of(points, window);
  const std::vector<double> variance = noise(points, 0, size);
  const std::vector<std::size_t> chosen = choices(points, windows, variance, stride);
  std::vector<double> shares(size);
  Fit mixed = wide, part;
  resize(part, size);
  for (std::size_t k = 0; k + 1 < windows.size(); ++k) {
    if (std::find(chosen.begin(), chosen.end(), k) == chosen.end()) continue;
    shares_of(k, points, chosen, stride, shares);
    Sums<true> sums(points, variance.data());
    for (std::size_t i = 0; i < size; ++i) {
      if (shares[i] == 0) continue;
      sums.move_to(i, wide_enough(points, i, windows[k]));
      sums.fit(i, part);
      for (const auto column : kColumns)
        (mixed.*column)[i] += shares[i] * ((part.*column)[i] - (wide.*column)[i]);
    }
  }
  return mixed;
}

}  // namespace clrfast::analysis
