#include "analysis/window_choice.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/fit.hpp"
#include "analysis/grid.hpp"
#include "simd/level.hpp"

namespace clrfast::analysis {
namespace {

constexpr double kApart = 8 * kCellWidth;  // a window is chosen every so far, about, ...
constexpr double kMixed = 8 * kCellWidth;  // ... and choices this near are mixed

// Where the windows of a width around every `stride`-th point begin and end.
struct Reaches {
  Reaches(const Neighbours& points, std::size_t stride, double window) {
    const std::size_t size = points.size();
    std::size_t left = 0, right = 0;
    for (std::size_t i = 0; i < size; i += stride) {
      const double width = std::max(window, points.reach[i]), x = points.x[i];
      // Likely as far away as from the last one.
      left = std::min(left + stride, i);
      while (left > 0 && points.x[left - 1] > x - width) --left;
      while (points.x[left] <= x - width) ++left;
      right = std::max(i, std::min(right + stride, size));
      while (right > i && points.x[right - 1] >= x + width) --right;
      while (right < size && points.x[right] < x + width) ++right;
      begin.push_back(left);
      end.push_back(right);
      per_width.push_back(1 / width);
    }
    per_width.resize(per_width.size() + kAtOnce, 1.0);
  }

  std::size_t size() const noexcept { return begin.size(); }

  std::vector<std::size_t> begin, end;
  std::vector<double> per_width;
};

// Columns as the kernel reads them.
class Comb {
 public:
  Comb(const Neighbours& points, const std::vector<double>& loss, std::size_t stride,
       const Reaches& widest)
      : stride_(stride) {
    std::size_t most = 0;
    for (std::size_t j = 0; j < widest.size(); ++j)
      most = std::max({most, stride * j - widest.begin[j], widest.end[j] - stride * j});
    margin_ = most / stride + 1;
    width_ = margin_ + widest.size() + kAtOnce + margin_;
    content_.resize(3 * stride * width_);
    for (std::size_t i = 0, j = 0; j < widest.size(); ++j) {
      for (std::size_t r = 0; r < stride && i < points.size(); ++r, ++i) {
        double* to = content_.data() + r * width_ + margin_ + j;
        to[0] = points.x[i];
        to[stride * width_] = points.rows[i];
        to[2 * stride * width_] = loss[i];
      }
    }
  }

  Combed columns() const noexcept {
    const double* first = content_.data() + margin_;
    return {first, first + stride_ * width_, first + 2 * stride_ * width_, stride_, width_};
  }

 private:
  std::size_t stride_, margin_, width_;
  std::vector<double> content_;
};

// What the fits at a point have in common, up to some window.
struct Agreed {
  double low = -HUGE_VAL, high = HUGE_VAL;
};

// Which of the windows is chosen at every `stride`-th point.
std::vector<std::size_t> choices(const Neighbours& points, const std::vector<double>& windows,
                                 const std::vector<double>& loss,
                                 const std::vector<double>& variance, std::size_t stride,
                                 const Lines& wide, const std::vector<double>& fitted) {
  const std::size_t size = points.size(), count = (size + stride - 1) / stride;
  std::vector<std::size_t> chosen(count, 0);
  if (windows.size() == 1) return chosen;
  std::vector<double> before(size + 1);
  for (std::size_t i = 0; i < size; ++i) before[i + 1] = before[i] + variance[i];
  std::vector<Reaches> reaches;
  for (std::size_t k = 0; k + 1 < windows.size(); ++k)
    reaches.emplace_back(points, stride, windows[k]);
  const Comb comb(points, loss, stride, reaches.back());
  for (std::size_t first = 0; first < count; first += kAtOnce) {
    const std::size_t end = std::min(first + kAtOnce, count);
    Agreed agreed[kAtOnce];
    bool any = true;  // once a point's fits disagree, they always do
    const auto agree = [&](std::size_t j, std::size_t k, double value, double lever,
                           std::size_t from, std::size_t to) {
      const double mean = (before[to] - before[from]) / static_cast<double>(to - from);
      const double off = kAgree * std::sqrt(std::max(0.0, mean * lever));
      Agreed& all = agreed[j - first];
      all.low = std::max(all.low, value - off);
      all.high = std::min(all.high, value + off);
      if (all.low > all.high) return;
      chosen[j] = k;
      any = true;
    };
    for (std::size_t k = 0; k + 1 < windows.size() && any; ++k) {
      const Reaches& reach = reaches[k];
      std::size_t most_before = 0, most_after = 0;
      for (std::size_t j = first; j < end; ++j) {
        most_before = std::max(most_before, stride * j - reach.begin[j]);
        most_after = std::max(most_after, reach.end[j] - stride * j);
      }
      const RoughFit rough = simd::level().fits.rough(
          comb.columns(), first, -static_cast<std::ptrdiff_t>(most_before),
          static_cast<std::ptrdiff_t>(most_after), &reach.per_width[first]);
      any = false;
      for (std::size_t j = first; j < end; ++j)
        agree(j, k, rough.loss[j - first], rough.lever[j - first], reach.begin[j], reach.end[j]);
    }
    if (!any) continue;
    for (std::size_t j = first; j < end; ++j) {
      const std::size_t i = stride * j;
      agree(j, windows.size() - 1, fitted[i] - loss[i], wide.columns().rough_lever[i],
            wide.begin()[i], wide.end()[i]);
    }
  }
  return chosen;
}

}  // namespace

std::vector<double> windows_up_to(double widest, const Neighbours& points) {
  const std::size_t size = points.size();
  double rows = 0;
  for (std::size_t i = 0; i < size; ++i) rows += points.rows[i];
  const double span = points.x[size - 1] - points.x[0];
  std::vector<double> windows{widest};
  while (windows.size() < kWindows && 2 * rows * windows.back() >= kFewestRows * span)
    windows.push_back(windows.back() / 2);
  std::reverse(windows.begin(), windows.end());
  return windows;
}

std::vector<double> window_shares(const Neighbours& points, const std::vector<double>& windows,
                                  const std::vector<double>& loss,
                                  const std::vector<double>& variance, const Lines& wide,
                                  const std::vector<double>& fitted) {
  const std::size_t size = points.size();
  const double apart = (points.x[size - 1] - points.x[0]) / static_cast<double>(size - 1);
  const auto stride = static_cast<std::size_t>(std::max(1.0, kApart / apart));
  const std::vector<std::size_t> chosen =
      choices(points, windows, loss, variance, stride, wide, fitted);
  std::vector<double> shares(windows.size() * size);
  std::vector<std::size_t> alike(chosen.size());  // the first of the same choices up to each
  for (std::size_t j = 1; j < chosen.size(); ++j)
    alike[j] = chosen[j] == chosen[j - 1] ? alike[j - 1] : j;
  std::size_t begin = 0, end = 0;  // choices near a point, which count more the nearer they are
  for (std::size_t i = 0; i < size; ++i) {
    const double x = points.x[i];
    double* const share = shares.data() + i;  // of the first window
    while (begin < chosen.size() && points.x[begin * stride] <= x - kMixed) ++begin;
    end = std::max(end, begin);
    while (end < chosen.size() && points.x[end * stride] < x + kMixed) ++end;
    if (begin == end || alike[end - 1] <= begin) {
      share[chosen[begin == end ? i / stride : begin] * size] = 1;
      continue;
    }
    double sum = 0;
    for (std::size_t j = begin; j < end; ++j) {
      const double d = (points.x[j * stride] - x) * (1 / kMixed);
      sum += 1 - d * d;
    }
    const double per_sum = 1 / sum;
    for (std::size_t j = begin; j < end; ++j) {
      const double d = (points.x[j * stride] - x) * (1 / kMixed);
      share[chosen[j] * size] += (1 - d * d) * per_sum;
    }
  }
  return shares;
}

}  // namespace clrfast::analysis
