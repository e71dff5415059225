#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <cmath>
#include <cstddef>
#include <cstring>

#include "simd/level.hpp"

namespace clrfast::simd::base {
#include "simd/level.inl"
}  // namespace clrfast::simd::base
