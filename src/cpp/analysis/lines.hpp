// Lines laid through losses, one around each point: the work behind fit.hpp.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "analysis/fit_kernels.hpp"

namespace clrfast::analysis {

struct Points;

// What all windows share: rates and rows, with room behind them for the kernels.
struct Neighbours {
  explicit Neighbours(const Points& points);

  std::size_t size() const noexcept { return reach.size(); }

  std::vector<double> x, rows;
  std::vector<double> reach;  // half-width under which there are enough rows around each point
};

// What lines in windows of one half-width take of rates and rows alone. The neighbours must outlive
// them.
class Lines {
 public:
  explicit Lines(const Neighbours& points);

  // Around all points, or those, at least, whose share is not 0; in place of those before.
  void lay(double window, const double* shares = nullptr);

  // Through these losses, whose rows have this variance at each point; at all points, or those,
  // at least, whose share is not 0. Each column has room for kPadding entries beyond the
  // last point.
  void fit(const double* loss, const double* variance, const FittedColumns& fitted,
           const double* shares = nullptr) const;

  const LineColumns& columns() const noexcept { return columns_; }

  // The points in the window of each.
  const std::vector<std::size_t>& begin() const noexcept { return begin_; }
  const std::vector<std::size_t>& end() const noexcept { return end_; }

 private:
  // Around point `first` and those of the following ones, below `end`, that fit in with it, unless
  // none of them has a share. Returns the next point.
  std::size_t add_panel(std::size_t first, std::size_t end, double width, const double* shares);

  const Neighbours& points_;
  std::vector<std::size_t> begin_, end_;
  std::vector<Panel> panels_;
  std::unique_ptr<double[]> content_;  // of the columns, written before it is read
  LineColumns columns_;
  std::size_t most_before_ = 0, most_windows_ = 0;  // of any panel
  mutable std::vector<double> before_, sums_;       // room for the kernels
};

}  // namespace clrfast::analysis
