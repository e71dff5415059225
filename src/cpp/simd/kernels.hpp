// The array kernels of the instruction set chosen for this process.
#pragma once

namespace clrfast::simd {

// Writes out[i] = anchor + span * weight(k + i * dk, n) for 0 <= i < count, where k is a whole
// number of steps below 2^53 and dk is 1 or -1. Does not throw or allocate.
template <class Out>
using Fill = void (*)(Out* out, int count, double k, double dk, double n, double anchor,
                      double span);

template <class Out>
struct FillKernels {
  Fill<Out> linear, square, arch, cosine;
};

struct Kernels {
  FillKernels<double> f64;
  FillKernels<float> f32;

  const FillKernels<double>& fill(double*) const { return f64; }
  const FillKernels<float>& fill(float*) const { return f32; }
};

const Kernels& kernels();

}  // namespace clrfast::simd
