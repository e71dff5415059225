// The loops that fill arrays with the values of a curve; see simd/level.hpp.
#pragma once

namespace clrfast {

// Writes out[i] = anchor + span * weight(k + i * dk, n) for 0 <= i < count, where k is a whole
// number of steps below 2^53 and dk is 1 or -1. Does not throw or allocate.
template <class Out>
using Fill = void (*)(Out* out, int count, double k, double dk, double n, double anchor,
                      double span);

// One for each weight in weights.inl.
template <class Out>
struct FillsOf {
  Fill<Out> linear, square, arch, cosine;
};

struct FillKernels {
  FillsOf<double> f64;
  FillsOf<float> f32;

  const FillsOf<double>& into(const double*) const { return f64; }
  const FillsOf<float>& into(const float*) const { return f32; }
};

}  // namespace clrfast
