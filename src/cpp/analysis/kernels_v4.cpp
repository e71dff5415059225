#include <cmath>
#include <cstddef>
#include <cstring>

#include "analysis/kernels.hpp"

namespace clrfast::analysis::v4 {
namespace {
#include "analysis/kernels.inl"
}  // namespace

const Kernels kKernels = {rates_within, sum_run, smooth_block};

}  // namespace clrfast::analysis::v4
