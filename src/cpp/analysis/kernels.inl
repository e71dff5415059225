// The loops over rows; included by simd/level.inl.
//
// Rows are added up in eight lanes, whatever the width of the machine's vectors, so that every
// level gives the same bits. The lanes are paired up from the widest native vector, or from single
// numbers where the compiler knows none. Rows of float32 become float64 as they are loaded.

using analysis::kLargestLoss;
using analysis::kSmoothRows;
using analysis::RateRun;
using analysis::RunSums;
using analysis::usable;

#ifndef CLRFAST_VECTORS  // 0 gives what compilers without GNU's vector types get, such as MSVC
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 9)
#define CLRFAST_VECTORS 1
#else
#define CLRFAST_VECTORS 0
#endif
#endif

#if CLRFAST_VECTORS
#pragma GCC diagnostic ignored "-Wpsabi"  // warns of calls across files; all of these are inlined
#if defined(__AVX512F__)
typedef double Native __attribute__((vector_size(64)));
#elif defined(__AVX2__)
typedef double Native __attribute__((vector_size(32)));
#else
typedef double Native __attribute__((vector_size(16)));
#endif
inline void load(const float* from, Native& v) noexcept {
#if defined(__AVX512F__)  // gcc converts halves, on the stack, unless it is told the instruction
  v = _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(from));
#elif defined(__AVX2__)
  v = _mm256_cvtps_pd(_mm_loadu_ps(from));
#elif defined(__SSE2__)
  v = _mm_cvtps_pd(_mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#else
  typedef float Single __attribute__((vector_size(sizeof(Native) / 2)));
  Single single;
  std::memcpy(&single, from, sizeof single);
  v = __builtin_convertvector(single, Native);
#endif
}
// Processors look ahead within a page, and in the one column that is being read. Where there is no
// such row, this does nothing.
template <typename T>
inline void fetch_ahead(const T* row) noexcept {
  __builtin_prefetch(row + 6144 / sizeof(T));
}
#else
typedef double Native;
inline void load(const float* from, Native& v) noexcept { v = *from; }
template <typename T>
inline void fetch_ahead(const T*) noexcept {}
#endif

template <typename Half>
struct Pair {
  Half a, b;
};

inline void load(const double* from, Native& v) noexcept { std::memcpy(&v, from, sizeof v); }
inline void store(const Native& v, double* to) noexcept { std::memcpy(to, &v, sizeof v); }
inline void fill(double value, Native& v) noexcept { v = value - Native{}; }
inline Native lower(Native a, Native b) noexcept { return a < b ? a : b; }
inline Native higher(Native a, Native b) noexcept { return a > b ? a : b; }
inline Native if_usable(Native loss, Native value, Native otherwise) noexcept {
  return ((loss <= kLargestLoss + Native{}) & (loss >= -kLargestLoss + Native{})) ? value
                                                                                  : otherwise;
}

template <typename T, typename H>
inline void load(const T* from, Pair<H>& v) noexcept {
  load(from, v.a);
  load(from + sizeof(H) / sizeof(double), v.b);
}
template <typename H>
inline void store(const Pair<H>& v, double* to) noexcept {
  store(v.a, to);
  store(v.b, to + sizeof(H) / sizeof(double));
}
template <typename H>
inline void fill(double value, Pair<H>& v) noexcept {
  fill(value, v.a);
  fill(value, v.b);
}
template <typename H>
inline Pair<H> lower(const Pair<H>& x, const Pair<H>& y) noexcept {
  return {lower(x.a, y.a), lower(x.b, y.b)};
}
template <typename H>
inline Pair<H> higher(const Pair<H>& x, const Pair<H>& y) noexcept {
  return {higher(x.a, y.a), higher(x.b, y.b)};
}
template <typename H>
inline Pair<H> if_usable(const Pair<H>& loss, const Pair<H>& value,
                         const Pair<H>& otherwise) noexcept {
  return {if_usable(loss.a, value.a, otherwise.a), if_usable(loss.b, value.b, otherwise.b)};
}
template <typename H>
inline Pair<H> operator+(const Pair<H>& x, const Pair<H>& y) noexcept {
  return {x.a + y.a, x.b + y.b};
}
template <typename H>
inline Pair<H> operator-(const Pair<H>& x, const Pair<H>& y) noexcept {
  return {x.a - y.a, x.b - y.b};
}
template <typename H>
inline Pair<H> operator*(const Pair<H>& x, const Pair<H>& y) noexcept {
  return {x.a * y.a, x.b * y.b};
}
template <typename H>
inline Pair<H> operator/(const Pair<H>& x, const Pair<H>& y) noexcept {
  return {x.a / y.a, x.b / y.b};
}

template <typename V, std::size_t kTimes>
struct Widened {
  typedef typename Widened<Pair<V>, kTimes / 2>::Type Type;
};
template <typename V>
struct Widened<V, 1> {
  typedef V Type;
};

constexpr std::size_t kLanes = 8;
typedef Widened<Native, kLanes * sizeof(double) / sizeof(Native)>::Type Lanes;

template <typename T>
inline Lanes load(const T* from) noexcept {
  Lanes v;
  load(from, v);
  return v;
}
inline Lanes fill(double value) noexcept {
  Lanes v;
  fill(value, v);
  return v;
}

inline double sum(const Lanes& v) noexcept {
  double x[kLanes];
  store(v, x);
  return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
}

// `kChecked`: leave out rows with an unusable loss; without, the caller checks the result.
template <bool kChecked, typename Rate, typename Loss>
RunSums sum_rows(const Rate* lr, const Loss* loss, std::size_t rows, double inverse_centre,
                 double shift) noexcept {
  const Lanes zero = fill(0), half = fill(0.5), one = fill(1);
  const Lanes third = fill(1.0 / 3), quarter = fill(0.25);
  const Lanes scale = fill(inverse_centre), origin = fill(shift);
  Lanes count = zero, difference = zero, offset = zero, lowest = origin, highest = origin;
  std::size_t i = 0;
  for (; i + kLanes <= rows; i += kLanes) {
    fetch_ahead(loss + i);
    Lanes l = load(loss + i);
    const Lanes u = load(lr + i) * scale - one;
    Lanes x = u * (one - u * (half - u * (third - u * quarter)));  // cell_offset()
    if (kChecked) {
      count = count + if_usable(l, one, zero);
      x = if_usable(l, x, zero);
      l = if_usable(l, l, origin);
    }
    difference = difference + (l - origin);
    offset = offset + x;
    lowest = lower(l, lowest);
    highest = higher(l, highest);
  }
  RunSums sums = {kChecked ? sum(count) : static_cast<double>(i), sum(difference), sum(offset),
                  shift, shift};
  double low[kLanes], high[kLanes];
  store(lowest, low);
  store(highest, high);
  for (std::size_t k = 0; k < kLanes; ++k) {
    if (low[k] < sums.lowest) sums.lowest = low[k];
    if (high[k] > sums.highest) sums.highest = high[k];
  }
  for (; i < rows; ++i) {
    const double l = loss[i];
    if (kChecked && !usable(l)) continue;
    const double u = lr[i] * inverse_centre - 1;
    sums.rows += 1;
    sums.difference += l - shift;
    sums.offset += u * (1 - u * (0.5 - u * (1.0 / 3 - u * 0.25)));
    if (l < sums.lowest) sums.lowest = l;
    if (l > sums.highest) sums.highest = l;
  }
  return sums;
}

template <typename Rate, typename Loss>
RunSums sum_run(const Rate* lr, const Loss* loss, std::size_t rows, double inverse_centre,
                double shift) noexcept {
  // Almost all runs are without an unusable loss, which would show in these three.
  const RunSums sums = sum_rows<false>(lr, loss, rows, inverse_centre, shift);
  if (sums.difference == sums.difference && usable(sums.lowest) && usable(sums.highest))
    return sums;
  return sum_rows<true>(lr, loss, rows, inverse_centre, shift);
}

template <typename Rate>
RateRun rates_within(const Rate* lr, std::size_t rows, double low, double high) noexcept {
  constexpr std::size_t kStride = 8 * kLanes;
  double least_of_all = HUGE_VAL, most_of_all = -HUGE_VAL;
  std::size_t i = 0;
  for (; i + kStride <= rows; i += kStride) {
    Lanes lowest = load(lr + i), highest = lowest, total = lowest;
    for (std::size_t k = kLanes; k < kStride; k += kLanes) {
      if (k * sizeof(Rate) % 64 == 0) fetch_ahead(lr + i + k);
      const Lanes rates = load(lr + i + k);
      lowest = lower(rates, lowest);
      highest = higher(rates, highest);
      total = total + rates;  // shows a NaN, which no comparison does
    }
    double least[kLanes], most[kLanes], check[kLanes];
    store(lowest, least);
    store(highest, most);
    store(total, check);
    for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
      for (std::size_t k = 0; k < half; ++k) {
        if (least[k + half] < least[k]) least[k] = least[k + half];
        if (most[k + half] > most[k]) most[k] = most[k + half];
        check[k] += check[k + half];
      }
    }
    if (!(check[0] == check[0] && least[0] >= low && most[0] < high)) break;
    if (least[0] < least_of_all) least_of_all = least[0];
    if (most[0] > most_of_all) most_of_all = most[0];
  }
  for (; i < rows; ++i) {
    const double rate = lr[i];
    if (!(rate >= low && rate < high)) break;
    if (rate < least_of_all) least_of_all = rate;
    if (rate > most_of_all) most_of_all = rate;
  }
  return {i, least_of_all, most_of_all};
}

// Eight stretches at a time, each from zero, for the recurrence is a chain of dependent steps; what
// came before a stretch is added afterwards, times a power of beta.
template <typename Loss>
bool smooth_block(const Loss* loss, double beta, const double* powers, double* average,
                  double* smoothed) noexcept {
  constexpr std::size_t kLength = kSmoothRows / kLanes;
  Lanes lowest = load(loss), highest = lowest, total = lowest;
  for (std::size_t i = kLanes; i < kSmoothRows; i += kLanes) {
    const Lanes l = load(loss + i);
    lowest = lower(l, lowest);
    highest = higher(l, highest);
    total = total + l;
  }
  double least[kLanes], most[kLanes];
  store(lowest, least);
  store(highest, most);
  const double check = sum(total);
  bool all_usable = check == check;
  for (std::size_t k = 0; k < kLanes; ++k) all_usable &= usable(least[k]) && usable(most[k]);
  if (!all_usable) return false;

  double chain[kLanes] = {};
  for (std::size_t i = 0; i < kLength; ++i) {
    for (std::size_t k = 0; k < kLanes; ++k) {
      const std::size_t row = k * kLength + i;
      chain[k] = beta * chain[k] + (1 - beta) * loss[row];
      smoothed[row] = chain[k];
    }
  }
  double before = *average;
  for (std::size_t k = 0; k < kLanes; ++k) {
    const Lanes carried = fill(before);
    double* stretch = smoothed + k * kLength;
    for (std::size_t i = 0; i < kLength; i += kLanes) {
      store(load(stretch + i) + load(powers + i) * carried, stretch + i);
    }
    before = stretch[kLength - 1];
  }
  *average = before;
  return true;
}

template <typename Rate, typename Loss>
constexpr analysis::ColumnKernels<Rate, Loss> kColumnKernels = {rates_within<Rate>,
                                                                sum_run<Rate, Loss>};

constexpr analysis::RowKernels kRowKernels = {
    kColumnKernels<double, double>, kColumnKernels<double, float>, kColumnKernels<float, double>,
    kColumnKernels<float, float>,   {smooth_block<double>},        {smooth_block<float>}};
