// The loops over points of a fit; included by simd/level.inl, after analysis/kernels.inl.
//
// The weight of a point at distance d from another is Epanechnikov's 1 - d^2: a polynomial, so that
// sums of powers of distances from a common anchor give all sums over it. Each window is what lies
// before its anchor, added up from there to the left, and what lies after it, added up to the
// right. Nothing is ever taken off: a huge loss costs no digits once it has left the window.

using analysis::Combed;
using analysis::FittedColumns;
using analysis::kSumsRoom;
using analysis::LineColumns;
using analysis::Panel;
using analysis::PointColumns;
using analysis::RoughFit;

inline Lanes lanes(double a, double b, double c, double d, double e, double f, double g,
                   double h) noexcept {
  const double x[kLanes] = {a, b, c, d, e, f, g, h};
  return load(x);
}

#if CLRFAST_VECTORS
inline void gather(const double* from, std::size_t stride, Native& v) noexcept {
  Native gathered = {};
  for (std::size_t k = 0; k < sizeof(Native) / sizeof(double); ++k) gathered[k] = from[k * stride];
  v = gathered;
}
inline Native if_above(Native a, Native b, Native value) noexcept {
  return a > b ? value : Native{};
}
#else
inline void gather(const double* from, std::size_t, Native& v) noexcept { v = *from; }
inline Native if_above(Native a, Native b, Native value) noexcept { return a > b ? value : 0; }
#endif
template <typename H>
inline Pair<H> if_above(const Pair<H>& a, const Pair<H>& b, const Pair<H>& value) noexcept {
  return {if_above(a.a, b.a, value.a), if_above(a.b, b.b, value.b)};
}
inline Lanes root(const Lanes& v) noexcept {
  double x[kLanes];
  store(v, x);
  for (std::size_t k = 0; k < kLanes; ++k) x[k] = std::sqrt(x[k]);
  return load(x);
}
template <typename H>
inline void gather(const double* from, std::size_t stride, Pair<H>& v) noexcept {
  gather(from, stride, v.a);
  gather(from + sizeof(H) / sizeof(double) * stride, stride, v.b);
}

// 1, d, d^2, ... d^7.
struct Powers {
  const Lanes first = lanes(1, 0, 1, 0, 1, 0, 1, 0), first_d = lanes(0, 1, 0, 1, 0, 1, 0, 1);
  const Lanes second = lanes(1, 1, 0, 0, 1, 1, 0, 0), second_d = lanes(0, 0, 1, 1, 0, 0, 1, 1);
  const Lanes third = lanes(1, 1, 1, 1, 0, 0, 0, 0), third_d = lanes(0, 0, 0, 0, 1, 1, 1, 1);

  Lanes four_twice(double d, double dd) const noexcept {
    return (first + first_d * fill(d)) * (second + second_d * fill(dd));
  }
  Lanes eight(double d, double dd) const noexcept {
    return four_twice(d, dd) * (third + third_d * fill(dd * dd));
  }
};

// Sums of rows * d^k for k up to 7, and of d^k for k up to 2.
struct RateSums {
  const double* rows;
  Lanes sum;
  double d0, d1, d2;

  void clear() noexcept {
    sum = fill(0);
    d0 = d1 = d2 = 0;
  }
  void add(const Powers& powers, std::size_t j, double d) noexcept {
    const double dd = d * d;
    sum = sum + powers.eight(d, dd) * fill(rows[j]);
    d0 += 1;
    d1 += d;
    d2 += dd;
  }
  void put(double* to) const noexcept {
    store(sum, to);
    to[8] = d0;
    to[9] = d1;
    to[10] = d2;
  }
  void put_with(const double* before, double* to) const noexcept {
    store(sum + load(before), to);
    to[8] = d0 + before[8];
    to[9] = d1 + before[9];
    to[10] = d2 + before[10];
  }
};

// Sums of rows * loss * d^k and of variance * d^k, for k up to 3.
struct LossSums {
  const double *rows, *loss, *variance;
  double level;
  Lanes sum;
  const Lanes losses = lanes(1, 1, 1, 1, 0, 0, 0, 0), variances = lanes(0, 0, 0, 0, 1, 1, 1, 1);

  void clear() noexcept { sum = fill(0); }
  void add(const Powers& powers, std::size_t j, double d) noexcept {
    const Lanes value = losses * fill(rows[j] * (loss[j] - level)) + variances * fill(variance[j]);
    sum = sum + powers.four_twice(d, d * d) * value;
  }
  void put(double* to) const noexcept { store(sum, to); }
  void put_with(const double* before, double* to) const noexcept { store(sum + load(before), to); }
};

// The sums of each window of a panel.
template <typename Sums>
inline void sum_windows(const PointColumns& points, const Panel& panel, Sums each, double* before,
                        double* sums) noexcept {
  const Powers powers;
  const double *x = points.x, anchor = panel.anchor, per_width = panel.per_width;
  each.clear();
  std::size_t begin = panel.middle;
  double* at_begin = before + kSumsRoom * (begin - panel.begin);
  each.put(at_begin);
  while (begin > panel.begin) {
    --begin;
    at_begin -= kSumsRoom;
    each.add(powers, begin, (x[begin] - anchor) * per_width);
    each.put(at_begin);
  }
  each.clear();
  std::size_t end = panel.middle;
  for (std::size_t i = 0; i < panel.count; ++i) {
    for (; end < points.end[panel.first + i]; ++end)
      each.add(powers, end, (x[end] - anchor) * per_width);
    begin = points.begin[panel.first + i];
    if (begin > panel.middle) begin = panel.middle;
    each.put_with(before + kSumsRoom * (begin - panel.begin), sums + kSumsRoom * i);
  }
}

// Weighted sums of d^k: the weight is 1 - (d - at)^2.
struct Weight {
  Lanes constant, linear;

  explicit Weight(const Lanes& at) noexcept : constant(fill(1) - at * at), linear(fill(2) * at) {}
  Lanes sum(const Lanes& a, const Lanes& b, const Lanes& c) const noexcept {
    return constant * a + linear * b - c;
  }
};

inline Lanes not_negative(const Lanes& v) noexcept { return higher(v, fill(0)); }

inline void lines(const PointColumns& points, const Panel& panel, const LineColumns& found,
                  double* before, double* sums) noexcept {
  sum_windows(points, panel, RateSums{points.rows, {}, 0, 0, 0}, before, sums);
  const Lanes one = fill(1), two = fill(2);
  for (std::size_t i = 0; i < panel.count; i += kLanes) {
    const std::size_t to = panel.first + i;
    const Lanes at = (load(points.x + to) - fill(panel.anchor)) * fill(panel.per_width);
    const Weight weight(at);
    Lanes m[11], s[5];
    for (std::size_t k = 0; k < 11; ++k) gather(sums + kSumsRoom * i + k, kSumsRoom, m[k]);
    for (std::size_t k = 0; k < 5; ++k) s[k] = weight.sum(m[k], m[k + 1], m[k + 2]);
    const Lanes per_s0 = one / s[0], mean = s[1] * per_s0;
    const Lanes dd = s[2] - s[1] * mean;
    const Lanes per_dd = if_above(dd, fill(1e-12) * s[0], one / dd);
    // The fitted loss is a sum of losses, each times weight * (per_s0 + q * (d - mean)).
    const Lanes q = (at - mean) * per_dd;
    const Lanes q0 = weight.sum(s[0], s[1], s[2]), q1 = weight.sum(s[1], s[2], s[3]);
    const Lanes q2 = weight.sum(s[2], s[3], s[4]);
    const Lanes centred1 = q1 - mean * q0;
    const Lanes centred2 = not_negative(q2 - mean * (two * q1 - mean * q0));
    store(at, found.at + to);
    store(per_s0, found.per_s0 + to);
    store(mean, found.mean + to);
    store(per_dd, found.per_dd + to);
    store(not_negative(per_s0 * (per_s0 * q0 + two * q * centred1) + q * q * centred2),
          found.lever + to);
    store(centred2 * per_dd * per_dd, found.tilt + to);
    store(one / weight.sum(m[8], m[9], m[10]), found.per_points + to);
    store(per_s0 * per_s0 * q0 + q * (at - mean), found.rough_lever + to);
  }
}

inline void fit(const PointColumns& points, const Panel& panel, const LineColumns& found,
                const double* loss, const double* variance, double level,
                const FittedColumns& fitted, double* before, double* sums) noexcept {
  sum_windows(points, panel, LossSums{points.rows, loss, variance, level, {}}, before, sums);
  const Lanes per_width = fill(panel.per_width);
  for (std::size_t i = 0; i < panel.count; i += kLanes) {
    const std::size_t to = panel.first + i;
    const Lanes at = load(found.at + to), mean = load(found.mean + to);
    const Weight weight(at);
    Lanes m[7];
    for (std::size_t k = 0; k < 7; ++k) gather(sums + kSumsRoom * i + k, kSumsRoom, m[k]);
    const Lanes t0 = weight.sum(m[0], m[1], m[2]), t1 = weight.sum(m[1], m[2], m[3]);
    const Lanes slope = (t1 - t0 * mean) * load(found.per_dd + to);
    const Lanes row = not_negative(weight.sum(m[4], m[5], m[6]) * load(found.per_points + to));
    store(fill(level) + t0 * load(found.per_s0 + to) + slope * (at - mean), fitted.loss + to);
    store(slope * per_width, fitted.slope + to);
    store(root(row * load(found.lever + to)), fitted.loss_se + to);
    store(root(row * load(found.tilt + to)) * per_width, fitted.slope_se + to);
  }
}

// Around its own point a window is even, and the weight needs no moments.
inline RoughFit rough(const Combed& points, std::size_t first, std::ptrdiff_t from,
                      std::ptrdiff_t to, const double* per_width) noexcept {
  const Lanes zero = fill(0), one = fill(1), scale = load(per_width);
  const Lanes x = load(points.x + first), loss = load(points.loss + first);
  const auto stride = static_cast<std::ptrdiff_t>(points.stride);
  const auto width = static_cast<std::ptrdiff_t>(points.width);
  Lanes s0 = zero, s1 = zero, s2 = zero, q0 = zero, t0 = zero, t1 = zero;
  std::ptrdiff_t line = from % stride;
  if (line < 0) line += stride;
  std::ptrdiff_t place = static_cast<std::ptrdiff_t>(first) + (from - line) / stride;
  for (std::ptrdiff_t k = from; k < to; ++k) {
    const std::ptrdiff_t at = line * width + place;
    const Lanes d = (load(points.x + at) - x) * scale;
    const Lanes weight = higher(one - d * d, zero);
    const Lanes rows = load(points.rows + at) * weight;
    const Lanes l = load(points.loss + at) - loss;
    const Lanes rows_d = rows * d;
    s0 = s0 + rows;
    s1 = s1 + rows_d;
    s2 = s2 + rows_d * d;
    q0 = q0 + rows * weight;
    t0 = t0 + rows * l;
    t1 = t1 + rows_d * l;
    if (++line == stride) {
      line = 0;
      ++place;
    }
  }
  const Lanes per_s0 = one / s0, mean = s1 * per_s0, dd = s2 * per_s0 - mean * mean;
  const Lanes per_dd = if_above(dd, fill(1e-12), one / dd);
  const Lanes fitted = t0 * per_s0, slope = (t1 * per_s0 - fitted * mean) * per_dd;
  RoughFit found;
  store(fitted - slope * mean, found.loss);
  store((q0 * per_s0 + mean * mean * per_dd) * per_s0, found.lever);
  return found;
}

constexpr analysis::FitKernels kFitKernels = {lines, fit, rough};
