#include "simd/kernels.hpp"

namespace clrfast::simd::v4 {
#include "simd/kernels.inl"
}  // namespace clrfast::simd::v4
