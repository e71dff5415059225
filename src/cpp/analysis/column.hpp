// A column of a log as it lies in memory, read in blocks.
#pragma once

#include <cstddef>

namespace clrfast::analysis {

struct Column {
  const void* data;
  std::ptrdiff_t stride;  // in bytes; may be negative
  bool single;            // float32 rather than float64

  Column from(std::size_t row) const noexcept {
    const auto offset = static_cast<std::ptrdiff_t>(row) * stride;
    return {static_cast<const char*>(data) + offset, stride, single};
  }

  // Whether its rows are float32 that can be used where they lie.
  bool dense_single() const noexcept;

  // Rows from `first` on. As double: converted into `scratch` unless they can be used where they
  // lie. As float: of a column that is dense_single().
  template <typename T>
  const T* read(std::size_t first, std::size_t rows, double* scratch) const noexcept;
};

inline Column column_of(const double* data) noexcept { return {data, sizeof(double), false}; }

// Rows in a block: its rates are read twice, and scratch is written first, all within the caches of
// a core. Fewer rows would end long stretches of one cell more often than need be.
inline constexpr std::size_t kBlockRows = 2048;

}  // namespace clrfast::analysis
