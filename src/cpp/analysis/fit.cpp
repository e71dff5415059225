#include "analysis/fit.hpp"

#include <algorithm>
#include <vector>

#include "analysis/lines.hpp"
#include "analysis/window_choice.hpp"

namespace clrfast::analysis {
namespace {

std::vector<double> noise_of(const double* x, const double* loss, const double* rows,
                             std::size_t size) {
  std::vector<double> variance(size, 0.0);
  if (size < 3) return variance;
  for (std::size_t i = 1; i + 1 < size; ++i) {
    const double t = (x[i] - x[i - 1]) / (x[i + 1] - x[i - 1]);
    const double off = (1 - t) * loss[i - 1] + t * loss[i + 1] - loss[i];
    variance[i] = off * off / ((1 - t) * (1 - t) / rows[i - 1] + t * t / rows[i + 1] + 1 / rows[i]);
  }
  variance.front() = variance[1];
  variance.back() = variance[size - 2];
  return variance;
}

constexpr auto kFitted = {&Fit::loss, &Fit::loss_se, &Fit::slope, &Fit::slope_se};

void resize(Fit& fit, std::size_t size) {
  for (const auto column : kFitted) (fit.*column).resize(size);
}

void lay(const Lines& lines, const std::vector<double>& loss, const std::vector<double>& variance,
         Fit& fitted, const double* shares = nullptr) {
  lines.fit(
      loss.data(), variance.data(),
      {fitted.loss.data(), fitted.slope.data(), fitted.loss_se.data(), fitted.slope_se.data()},
      shares);
}

}  // namespace

std::vector<double> noise(const Points& points, std::size_t begin, std::size_t end) {
  return noise_of(points.x.data() + begin, points.loss.data() + begin, points.rows.data() + begin,
                  end - begin);
}

// Of rates and rows, in some window.
struct Regression::Ground {
  Ground(const Points& given, double widest)
      : x(given.x), rows(given.rows), window(widest), points(given), wide(points) {
    wide.lay(window);
    if (x.size() > 1) windows = windows_up_to(window, points);
  }

  bool fits(const Points& other, double other_window) const {
    return window == other_window && x == other.x && rows == other.rows;
  }

  // Around points with a share, at least, in one of the windows.
  const Lines& narrow(std::size_t k, const double* shares) {
    if (narrower.empty()) {
      for (std::size_t i = 0; i + 1 < windows.size(); ++i) narrower.emplace_back(points);
      laid.resize(narrower.size());
    }
    if (!laid[k]) narrower[k].lay(windows[k], kept ? nullptr : shares);
    laid[k] = kept;
    return narrower[k];
  }

  const std::vector<double> x, rows;
  const double window;
  const Neighbours points;
  Lines wide;
  std::vector<double> windows;
  std::vector<Lines> narrower;
  std::vector<bool> laid;  // around all points
  bool kept = false;       // other losses follow: it pays to lay lines around all points
};

Regression::Regression(const Points& points, double window) {
  static thread_local std::shared_ptr<Ground> last;
  if (last && last->fits(points, window)) {
    last->kept = true;
  } else {
    last = std::make_shared<Ground>(points, window);
  }
  ground_ = last;
}

Fit Regression::fit(const std::vector<double>& loss) const {
  const std::size_t size = ground_->points.size();
  Fit fitted;
  fitted.noise = noise_of(ground_->x.data(), loss.data(), ground_->rows.data(), size);
  fitted.lever.assign(ground_->wide.columns().lever, ground_->wide.columns().lever + size);
  resize(fitted, size + kPadding);
  lay(ground_->wide, loss, fitted.noise, fitted);
  resize(fitted, size);
  return fitted;
}

Fit Regression::refined(const std::vector<double>& loss, const Fit& wide) const {
  const std::size_t size = ground_->points.size();
  if (size < 2) return wide;
  const std::vector<double>& windows = ground_->windows;
  const std::vector<double> shares =
      window_shares(ground_->points, windows, loss, wide.noise, ground_->wide, wide.loss);
  Fit mixed = wide, part;
  resize(part, size + kPadding);
  for (std::size_t k = 0; k + 1 < windows.size(); ++k) {
    const double* share = shares.data() + k * size;
    if (std::all_of(share, share + size, [](double each) { return each == 0; })) continue;
    const Lines& lines = ground_->narrow(k, share);
    lay(lines, loss, wide.noise, part, share);
    const double* lever = lines.columns().lever;
    for (std::size_t i = 0; i < size; ++i) {
      if (share[i] == 0) continue;
      for (const auto column : kFitted)
        (mixed.*column)[i] += share[i] * ((part.*column)[i] - (wide.*column)[i]);
      mixed.lever[i] += share[i] * (lever[i] - wide.lever[i]);
    }
  }
  return mixed;
}

Fit fit(const Points& points, double window) { return Regression(points, window).fit(points.loss); }

}  // namespace clrfast::analysis
