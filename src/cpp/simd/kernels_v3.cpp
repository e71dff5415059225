#include "simd/kernels.hpp"

namespace clrfast::simd::v3 {
#include "simd/kernels.inl"
}  // namespace clrfast::simd::v3
