// All kernels, compiled once for each instruction set, and those of the set that this process uses.
#pragma once

#include "analysis/fit_kernels.hpp"
#include "analysis/kernels.hpp"
#include "schedule/kernels.hpp"

namespace clrfast::simd {

struct KernelSet {
  FillKernels fill;
  analysis::RowKernels rows;
  analysis::FitKernels fits;
};

// That of cpu_level().
const KernelSet& level();

}  // namespace clrfast::simd
