#include "simd/kernels.hpp"

namespace clrfast::simd::base {
#include "simd/kernels.inl"
}  // namespace clrfast::simd::base
