#include "analysis/valley.hpp"

#include <algorithm>
#include <vector>

namespace clrfast::analysis {

Descent longest_descent(const Column& loss, std::size_t rows) {
  // Patience sorting: tails[k] is the highest loss at which a descent of k + 1 rows can end.
  std::vector<double> tails;
  Descent longest{0, 0};
  double scratch[kBlockRows];
  for (std::size_t start = 0; start < rows; start += kBlockRows) {
    const std::size_t count = std::min(kBlockRows, rows - start);
    const double* losses = loss.read<double>(start, count, scratch);
    for (std::size_t i = 0; i < count; ++i) {
      const double value = losses[i];
      if (value != value) continue;
      const auto place = std::lower_bound(tails.begin(), tails.end(), value,
                                          [](double tail, double v) { return tail > v; });
      if (place != tails.end()) {
        *place = value;
      } else {
        tails.push_back(value);
        longest = {tails.size(), start + i};
      }
    }
  }
  return longest;
}

}  // namespace clrfast::analysis
