#include "analysis/lines.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/fit.hpp"
#include "simd/level.hpp"

namespace clrfast::analysis {
namespace {

// The half-width under which there are enough rows around point `i`.
double reach_of(const Points& points, std::size_t i) {
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
  return 1.01 * reach;  // so that the last point taken has some weight
}

std::vector<double> padded(const std::vector<double>& values) {
  std::vector<double> with_room(values.size() + kPadding);
  std::copy(values.begin(), values.end(), with_room.begin());
  return with_room;
}

double middle_of(double a, double b, double c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

}  // namespace

Neighbours::Neighbours(const Points& points)
    : x(padded(points.x)), rows(padded(points.rows)), reach(points.size()) {
  for (std::size_t i = 0; i < reach.size(); ++i) reach[i] = reach_of(points, i);
}

Lines::Lines(const Neighbours& points)
    : points_(points), begin_(points.size()), end_(points.size()) {
  const std::size_t column = points.size() + kPadding;
  content_.reset(new double[8 * column]);
  double* next = content_.get();
  for (double** each :
       {&columns_.at, &columns_.per_s0, &columns_.mean, &columns_.per_dd, &columns_.lever,
        &columns_.tilt, &columns_.per_points, &columns_.rough_lever}) {
    *each = next;
    next += column;
  }
}

void Lines::lay(double window, const double* shares) {
  panels_.clear();
  for (std::size_t i = 0; i < points_.size();) {
    std::size_t end = i;
    while (end < points_.size() && points_.reach[end] <= window) ++end;
    if (end == i) {
      i = add_panel(i, i + 1, points_.reach[i], shares);
    } else {
      while (i < end) i = add_panel(i, end, window, shares);
    }
  }
  before_.resize(std::max(before_.size(), kSumsRoom * (most_before_ + 1)));
  sums_.resize(std::max(sums_.size(), kSumsRoom * (most_windows_ + kPadding)));
  const PointColumns points{points_.x.data(), points_.rows.data(), begin_.data(), end_.data()};
  for (const Panel& panel : panels_)
    simd::level().fits.lines(points, panel, columns_, before_.data(), sums_.data());
}

std::size_t Lines::add_panel(std::size_t first, std::size_t end, double width,
                             const double* shares) {
  const double* x = points_.x.data();
  const double anchor = x[first] + width;
  std::size_t last = first + 1;
  while (last < end && x[last] <= anchor + width) ++last;
  if (shares != nullptr &&
      std::all_of(shares + first, shares + last, [](double share) { return share == 0; }))
    return last;
  std::size_t begin = first, middle = first + 1;
  while (begin > 0 && x[begin - 1] > x[first] - width) --begin;
  while (middle < points_.size() && x[middle] < anchor) ++middle;
  std::size_t left = begin, right = middle;
  for (std::size_t i = first; i < last; ++i) {
    while (x[left] <= x[i] - width) ++left;
    while (right < points_.size() && x[right] < x[i] + width) ++right;
    begin_[i] = left;
    end_[i] = right;
  }
  most_before_ = std::max(most_before_, middle - begin);
  most_windows_ = std::max(most_windows_, last - first);
  panels_.push_back({first, last - first, begin, middle, anchor, 1 / width});
  return last;
}

void Lines::fit(const double* loss, const double* variance, const FittedColumns& fitted,
                const double* shares) const {
  const PointColumns points{points_.x.data(), points_.rows.data(), begin_.data(), end_.data()};
  for (const Panel& panel : panels_) {
    const double* const share = shares == nullptr ? nullptr : shares + panel.first;
    if (share != nullptr &&
        std::all_of(share, share + panel.count, [](double each) { return each == 0; }))
      continue;
    // A loss near those of the windows, so that no digits of small changes are lost; a spike is
    // not.
    const double level = middle_of(loss[panel.first], loss[panel.first + panel.count / 2],
                                   loss[panel.first + panel.count - 1]);
    simd::level().fits.fit(points, panel, columns_, loss, variance, level, fitted, before_.data(),
                           sums_.data());
  }
}

}  // namespace clrfast::analysis
