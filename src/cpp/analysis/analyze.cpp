#include "analysis/analyze.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "analysis/grid.hpp"
#include "analysis/ramp.hpp"

namespace clrfast::analysis {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

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

bool holds_loss(const Cell& cell) { return cell.count > 0; }

// Room for so many cells.
void resize(std::size_t size, Points& points) {
  points.index.resize(size);
  for (auto* column : {&points.x, &points.loss, &points.rows}) column->resize(size);
}

void set_point(const State& state, std::size_t i, std::size_t point, Points& points) {
  const Cell& cell = state.cells()[i];
  const std::int64_t index = state.origin() + static_cast<std::int64_t>(i);
  points.index[point] = index;
  points.x[point] = cell_centre(index) + cell.x;
  points.loss[point] = cell.loss;
  points.rows[point] = static_cast<double>(cell.count);
}

}  // namespace

Points points_of(const State& state) {
  Points points;
  resize(cells_with_loss(state), points);
  std::size_t point = 0;
  for (std::size_t i = 0; i < state.cells().size(); ++i) {
    if (state.cells()[i].count > 0) set_point(state, i, point++, points);
  }
  return points;
}

std::size_t cells_with_loss(const State& state) noexcept {
  return static_cast<std::size_t>(
      std::count_if(state.cells().begin(), state.cells().end(), holds_loss));
}

Analysis analyze(const State& state) {
  const std::size_t found = cells_with_loss(state);
  if (found < kFewestCells) {
    std::ostringstream message;
    message << "lr must hold at least " << kFewestCells
            << " rates, 4 % or more apart, with a finite loss, got " << found;
    if (!state.empty())
      message << ", between " << state.lowest_lr() << " and " << state.highest_lr();
    throw std::invalid_argument(message.str());
  }
  const std::vector<Cell>& cells = state.cells();
  Analysis analysis{};
  analysis.rows = state.rows();
  analysis.nonfinite = state.nonfinite();
  analysis.lowest_lr = state.lowest_lr();
  analysis.highest_lr = state.highest_lr();
  Circumstances circumstances;
  const std::size_t diverged = first_diverged(cells);
  const std::size_t end = std::min(diverged + 1, cells.size());
  const auto size = static_cast<std::size_t>(
      std::count_if(cells.begin(), cells.begin() + static_cast<std::ptrdiff_t>(end), holds_loss));
  resize(size, analysis.points);
  for (auto* column : {&analysis.lowest, &analysis.highest}) column->resize(size);
  for (auto* column : {&circumstances.first, &circumstances.last}) column->resize(size);
  for (std::size_t i = 0, point = 0; i < end; ++i) {
    const Cell& cell = cells[i];
    if (!holds_loss(cell)) continue;
    set_point(state, i, point, analysis.points);
    analysis.lowest[point] = cell.lowest;
    analysis.highest[point] = cell.highest;
    circumstances.first[point] = cell.first;
    circumstances.last[point] = cell.last;
    ++point;
  }
  circumstances.nonfinite_x =
      diverged < cells.size() ? cell_centre(state.origin() + static_cast<std::int64_t>(diverged))
                              : std::numeric_limits<double>::infinity();
  analysis.findings = suggest(analysis.points, circumstances);
  if (const char* reason = no_range_test(state)) {
    analysis.findings.phases = {kNone, kNone, kNone, kNone, kNone};
    analysis.findings.suggestion = no_suggestion(reason);
  }
  return analysis;
}

}  // namespace clrfast::analysis
