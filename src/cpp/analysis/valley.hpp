// fastai's valley rule in O(n log n); its own code takes O(n^2).
#pragma once

#include <cstddef>

#include "analysis/column.hpp"

namespace clrfast::analysis {

// The longest strictly decreasing subsequence, not contiguous, of which NaN is no part.
struct Descent {
  std::size_t length;
  std::size_t end;  // the first row at which one of that length ends
};

Descent longest_descent(const Column& loss, std::size_t rows);

}  // namespace clrfast::analysis
