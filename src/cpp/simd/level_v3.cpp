#include <immintrin.h>

#include <cmath>
#include <cstddef>
#include <cstring>

#include "simd/level.hpp"

namespace clrfast::simd::v3 {
#include "simd/level.inl"
}  // namespace clrfast::simd::v3
