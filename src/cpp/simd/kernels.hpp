// The array kernels of the instruction set chosen for this process.
#pragma once

namespace clrfast::simd {

// Some steps of one half of a curve, seen from the end that this half is nearer to.
struct Stretch {
  double position;  // of the first step, on the axis on which
  double first;     // the curve begins here
  double origin;    // the distance from that end is origin + sign * (position - first):
  double sign;      // 0 and 1 from the curve's start, length and -1 from its end
  double length;
  double anchor;  // the value is anchor + span * weight(distance, length)
  double span;
};

// Writes the values of `count` consecutive steps. Does not throw or allocate.
template <class Out>
using Fill = void (*)(Out* out, int count, const Stretch& stretch);

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
