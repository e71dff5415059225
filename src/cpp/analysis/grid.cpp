#include "analysis/grid.hpp"

#include <array>
#include <cstddef>

namespace clrfast::analysis {
namespace {

using Edges = std::array<double, kHighestCell - kLowestCell + 2>;

const Edges kEdges = [] {
  Edges edges{};
  double cell = kLowestCell - 0.5;
  for (double& edge : edges) edge = std::exp(cell++ * kCellWidth);
  return edges;
}();

}  // namespace

double cell_edge(std::int64_t cell) noexcept {
  return kEdges[static_cast<std::size_t>(cell - kLowestCell)];
}

}  // namespace clrfast::analysis
