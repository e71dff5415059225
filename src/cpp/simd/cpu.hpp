// Which of the compiled instruction sets this process uses.
#pragma once

namespace clrfast::simd {

// base is what the compiler targets by default; v3 is x86-64-v3 (AVX2), v4 is x86-64-v4 (AVX-512).
enum class CpuLevel { base, v3, v4 };

// The newest level that was compiled and that this processor runs, or the one that the environment
// variable CLRFAST_CPU names (base, v3 or v4). Decided once. Throws std::runtime_error where the
// variable asks for something unknown or not available, so that a forced test never runs another
// path.
CpuLevel cpu_level();

const char* name(CpuLevel level);

}  // namespace clrfast::simd
