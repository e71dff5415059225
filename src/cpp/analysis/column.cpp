#include "analysis/column.hpp"

#include <cstring>

namespace clrfast::analysis {
namespace {

// memcpy, because a strided element need not be aligned.
template <typename T>
void gather(const char* from, std::ptrdiff_t stride, std::size_t rows, double* to) noexcept {
  for (std::size_t i = 0; i < rows; ++i, from += stride) {
    T value;
    std::memcpy(&value, from, sizeof value);
    to[i] = static_cast<double>(value);
  }
}

}  // namespace

const double* Column::read(std::size_t first, std::size_t rows, double* scratch) const noexcept {
  const char* from = static_cast<const char*>(data) + static_cast<std::ptrdiff_t>(first) * stride;
  if (!single && stride == sizeof(double)) return reinterpret_cast<const double*>(from);
  if (!single) {
    gather<double>(from, stride, rows, scratch);
  } else if (stride == sizeof(float)) {
    gather<float>(from, sizeof(float), rows, scratch);  // a constant stride, which vectorises
  } else {
    gather<float>(from, stride, rows, scratch);
  }
  return scratch;
}

}  // namespace clrfast::analysis
