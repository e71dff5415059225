#include "simd/cpu.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace clrfast::simd {

namespace {

CpuLevel newest() {
#ifdef CLRFAST_X86_LEVELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd")) {
    return CpuLevel::v4;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2")) {
    return CpuLevel::v3;
  }
#endif
  return CpuLevel::base;
}

CpuLevel choose() {
  const CpuLevel best = newest();
  const char* forced = std::getenv("CLRFAST_CPU");
  if (forced == nullptr || *forced == '\0') return best;
  for (CpuLevel level : {CpuLevel::base, CpuLevel::v3, CpuLevel::v4}) {
    if (std::string(forced) == name(level) && level <= best) return level;
  }
  throw std::runtime_error("CLRFAST_CPU is '" + std::string(forced) +
                           "', but it must be base, v3 or v4, and at most " + name(best) +
                           " on this processor and build");
}

}  // namespace

CpuLevel cpu_level() {
  static const CpuLevel level = choose();
  return level;
}

const char* name(CpuLevel level) {
  switch (level) {
    case CpuLevel::v4:
      return "v4";
    case CpuLevel::v3:
      return "v3";
    case CpuLevel::base:
      break;
  }
  return "base";
}

}  // namespace clrfast::simd
