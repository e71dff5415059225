// The loops that fill arrays, written once and compiled once for each instruction set, inside the
// namespace that the including file opens. No standard-library code here: a template instantiated in a
// file built for a newer processor could be the copy that the linker keeps for everybody.

#include "simd/weights.inl"

// The index is a 32-bit integer because every instruction set can turn that into a double.
#define CLRFAST_FILL(name, weight)                                                         \
  template <class Out>                                                                     \
  static void name(Out* out, int count, double k, double dk, double n, double anchor,      \
                   double span) {                                                          \
    for (int i = 0; i < count; ++i) {                                                      \
      out[i] = static_cast<Out>(anchor + span * weight(k + dk * static_cast<double>(i), n)); \
    }                                                                                      \
  }

CLRFAST_FILL(fill_linear, linear_weight)
CLRFAST_FILL(fill_square, square_weight)
CLRFAST_FILL(fill_arch, arch_weight)
CLRFAST_FILL(fill_cosine, cosine_weight)

#undef CLRFAST_FILL

template <class Out>
static constexpr FillKernels<Out> fill_kernels() {
  return {fill_linear<Out>, fill_square<Out>, fill_arch<Out>, fill_cosine<Out>};
}

extern const Kernels kernels;
const Kernels kernels{fill_kernels<double>(), fill_kernels<float>()};
