#include "analysis/kernels.hpp"

#include "simd/cpu.hpp"

namespace clrfast::analysis {

const Kernels& kernels() {
#ifdef CLRFAST_X86_LEVELS
  if (simd::cpu_level() == simd::CpuLevel::v4) return v4::kKernels;
  if (simd::cpu_level() == simd::CpuLevel::v3) return v3::kKernels;
#endif
  return base::kKernels;
}

}  // namespace clrfast::analysis
