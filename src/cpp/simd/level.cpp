#include "simd/level.hpp"

#include "simd/cpu.hpp"

namespace clrfast::simd {

namespace base {
extern const Level kLevel;
}
namespace v3 {
extern const Level kLevel;
}
namespace v4 {
extern const Level kLevel;
}

const Level& level() {
#ifdef CLRFAST_X86_LEVELS
  static const Level& chosen = cpu_level() == CpuLevel::v4   ? v4::kLevel
                               : cpu_level() == CpuLevel::v3 ? v3::kLevel
                                                             : base::kLevel;
  return chosen;
#else
  return base::kLevel;
#endif
}

}  // namespace clrfast::simd
