#include "analysis/column.hpp"

#include <cstdint>
#include <cstring>

namespace clrfast::analysis {
namespace {

template <typename T>
bool dense(const Column& column) noexcept {
  return column.stride == sizeof(T) &&
         reinterpret_cast<std::uintptr_t>(column.data) % alignof(T) == 0;
}

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

bool Column::dense_single() const noexcept { return single && dense<float>(*this); }

template <>
const float* Column::read<float>(std::size_t first, std::size_t, double*) const noexcept {
  return static_cast<const float*>(from(first).data);
}

template <>
const double* Column::read<double>(std::size_t first, std::size_t rows,
                                   double* scratch) const noexcept {
  const void* const at = from(first).data;
  if (!single && dense<double>(*this)) return static_cast<const double*>(at);
  const auto* const bytes = static_cast<const char*>(at);
  if (single) {
    gather<float>(bytes, stride, rows, scratch);
  } else {
    gather<double>(bytes, stride, rows, scratch);
  }
  return scratch;
}

}  // namespace clrfast::analysis
