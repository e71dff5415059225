// The loops over points of a fit; see simd/level.hpp. Those of every instruction set give the same
// bits.
#pragma once

#include <cstddef>

namespace clrfast::analysis {

// Points as the kernels read them. All columns have kPadding entries, or more, beyond the last
// point.
struct PointColumns {
  const double *x, *rows;
  const std::size_t *begin, *end;  // the points in the window of each point
};
inline constexpr std::size_t kPadding = 8;

// How many points the kernels take at once.
inline constexpr std::size_t kAtOnce = 8;

// Windows of one half-width, around points from `first` on, which all reach over one place: their
// anchor, from which distances are measured, in units of the half-width.
struct Panel {
  std::size_t first, count;
  std::size_t begin, middle;  // of what is before the anchor
  double anchor, per_width;
};

// What a fit takes of rates and rows alone; a column each, with an entry for each point.
struct LineColumns {
  double* at;           // the point's distance from the anchor
  double* per_s0;       // 1 / the sum of weights
  double* mean;         // weighted mean of the distances
  double* per_dd;       // 1 / the weighted sum of their squares around it; 0 for a single rate
  double* lever;        // variance of the fitted loss in units of the variance of one row
  double* tilt;         // of the slope, likewise
  double* per_points;   // 1 / the sum of weights, each point counted once
  double* rough_lever;  // at least `lever`, and more at borders, as in RoughFit
};

// What comes out of one.
struct FittedColumns {
  double *loss, *slope, *loss_se, *slope_se;
};

// Every `stride`-th point, from the first on, with its neighbours. Point stride * j + r stands at
// r * width + j of each column, and what lies before the first point, or behind the last one, is
// there too, without rows.
struct Combed {
  const double *x, *rows, *loss;
  std::size_t stride, width;
};

// About how a fit turns out at a point: the loss relative to that of the point, and at most this
// variance in units of that of one row.
struct RoughFit {
  double loss[kAtOnce], lever[kAtOnce];
};

struct FitKernels {
  // `before` and `sums` are room for kSumsRoom entries for each point before the anchor and one
  // more, and for each window and kPadding more.
  void (*lines)(const PointColumns& points, const Panel& panel, const LineColumns& lines,
                double* before, double* sums);

  // `level` is taken off the losses while they are added up.
  void (*fit)(const PointColumns& points, const Panel& panel, const LineColumns& lines,
              const double* loss, const double* variance, double level, const FittedColumns& fitted,
              double* before, double* sums);

  // At the points stride * j for kAtOnce values of j, from `first` on: from those neighbours that
  // are from `from` to `to` places away, in windows of half-width 1 / per_width.
  RoughFit (*rough)(const Combed& points, std::size_t first, std::ptrdiff_t from, std::ptrdiff_t to,
                    const double* per_width);
};
inline constexpr std::size_t kSumsRoom = 12;

}  // namespace clrfast::analysis
