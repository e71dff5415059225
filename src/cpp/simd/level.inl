// Included by level_*.cpp, once for each instruction set, into a namespace of its own. Nothing from
// the standard library may be instantiated in kernels: a template in a file built for a newer
// processor could be the copy that the linker keeps for everybody.

namespace {
#include "analysis/kernels.inl"
#include "analysis/fit_kernels.inl"
#include "schedule/kernels.inl"
}  // namespace

extern const KernelSet kKernels;
const KernelSet kKernels = {kFillKernels, kRowKernels, kFitKernels};
