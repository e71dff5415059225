// Empty for other targets than x86-64: a compiler for macOS may have two at once.
#ifdef CLRFAST_X86_LEVELS
#include <immintrin.h>

#include <cmath>
#include <cstddef>
#include <cstring>

#include "simd/level.hpp"

namespace clrfast::simd::v4 {
#include "simd/level.inl"
}  // namespace clrfast::simd::v4
#endif
