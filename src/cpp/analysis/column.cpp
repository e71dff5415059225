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
  const auto* at = static_cast<const char*>(from(first).data);
  if (!single && stride == sizeof(double)) return reinterpret_cast<const double*>(at);
  if (!single) {
    gather<double>(at, stride, rows, scratch);
  } else if (stride == sizeof(float)) {
    gather<float>(at, sizeof(float), rows, scratch);  // a constant stride, which vectorises
  } else {
    gather<float>(at, stride, rows, scratch);
  }
  return scratch;
}

}  // namespace clrfast::analysis
