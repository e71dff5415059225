#include "analysis/analyze.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "analysis/grid.hpp"

namespace clrfast::analysis {
namespace {

void require_cells(const State& state) {
  std::size_t cells = 0;
  for (const Cell& cell : state.cells()) {
    if (cell.count > 0) ++cells;
  }
  if (cells >= kFewestCells) return;
  std::ostringstream message;
  message << "lrs must hold at least " << kFewestCells
          << " rates, 4 % or more apart, with a finite loss, not " << cells;
  if (!state.empty()) message << ", between " << state.lowest_lr() << " and " << state.highest_lr();
  throw std::invalid_argument(message.str());
}

// The first cell from which on at least half of all rows are non-finite, or the last cell if any of
// its rows is; the number of cells if there is none. Fewer are glitches, which do not count.
std::size_t first_diverged(const std::vector<Cell>& cells) {
  std::size_t diverged = cells.size();
  std::int64_t bad = 0, rows = 0;
  for (std::size_t i = cells.size(); i-- > 0;) {
    bad += cells[i].nonfinite;
    rows += cells[i].count + cells[i].nonfinite;
    if (cells[i].nonfinite > 0 && (2 * bad >= rows || i + 1 == cells.size())) diverged = i;
  }
  return diverged;
}

}  // namespace

Analysis analyze(const State& state) {
  require_cells(state);
  const std::vector<Cell>& cells = state.cells();
  Analysis analysis;
  Circumstances circumstances;
  const std::size_t diverged = first_diverged(cells);
  for (std::size_t i = 0; i < std::min(diverged + 1, cells.size()); ++i) {
    const Cell& cell = cells[i];
    if (cell.count == 0) continue;
    const std::int64_t index = state.origin() + static_cast<std::int64_t>(i);
    analysis.points.index.push_back(index);
    analysis.points.x.push_back(cell_centre(index) + cell.x);
    analysis.points.loss.push_back(cell.loss);
    analysis.points.rows.push_back(static_cast<double>(cell.count));
    analysis.lowest.push_back(cell.lowest);
    analysis.highest.push_back(cell.highest);
    circumstances.first.push_back(cell.first);
    circumstances.last.push_back(cell.last);
  }
  circumstances.nonfinite_x =
      diverged < cells.size() ? cell_centre(state.origin() + static_cast<std::int64_t>(diverged))
                              : std::numeric_limits<double>::infinity();
  analysis.findings = suggest(analysis.points, circumstances);
  return analysis;
}

}  // namespace clrfast::analysis
