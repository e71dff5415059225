// The loops that fill arrays; included by simd/level.inl.

#include "schedule/weights.inl"

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
static constexpr FillsOf<Out> fills_of() {
  return {fill_linear<Out>, fill_square<Out>, fill_arch<Out>, fill_cosine<Out>};
}

static constexpr FillKernels kFillKernels{fills_of<double>(), fills_of<float>()};
