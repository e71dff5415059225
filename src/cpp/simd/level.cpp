#include "simd/level.hpp"

#include "simd/cpu.hpp"

namespace clrfast::simd {

namespace base {
extern const KernelSet kKernels;
}
namespace v3 {
extern const KernelSet kKernels;
}
namespace v4 {
extern const KernelSet kKernels;
}

const KernelSet& level() {
#ifdef CLRFAST_X86_LEVELS
  static const KernelSet& chosen = cpu_level() == CpuLevel::v4   ? v4::kKernels
                                   : cpu_level() == CpuLevel::v3 ? v3::kKernels
                                                                 : base::kKernels;
  return chosen;
#else
  return base::kKernels;
#endif
}

}  // namespace clrfast::simd
