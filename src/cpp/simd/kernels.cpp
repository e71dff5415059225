#include "simd/kernels.hpp"

#include "simd/cpu.hpp"

namespace clrfast::simd {

namespace base {
extern const Kernels kernels;
}
#ifdef CLRFAST_X86_LEVELS
namespace v3 {
extern const Kernels kernels;
}
namespace v4 {
extern const Kernels kernels;
}
#endif

const Kernels& kernels() {
#ifdef CLRFAST_X86_LEVELS
  static const Kernels& chosen = cpu_level() == CpuLevel::v4   ? v4::kernels
                                 : cpu_level() == CpuLevel::v3 ? v3::kernels
                                                               : base::kernels;
  return chosen;
#else
  return base::kernels;
#endif
}

}  // namespace clrfast::simd
