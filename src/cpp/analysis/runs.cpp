#include "analysis/runs.hpp"

#include <algorithm>
#include <utility>

#include "analysis/parallel.hpp"

namespace clrfast::analysis {
namespace {

// Runs fewer than these are not worth a thread of their own.
constexpr std::size_t kRunsWorthAThread = 16;

}  // namespace

RunLine line_of(const State& state) {
  Findings findings =
      cells_with_loss(state) < kFewestCells ? suggest({}, {}) : analyze(state).findings;
  return {state.rows(), state.nonfinite(), findings.phases, std::move(findings.suggestion)};
}

RunTable analyze_runs(const Column& lr, const Column& loss, const std::vector<std::size_t>& offsets,
                      unsigned threads) {
  const std::size_t runs = offsets.size() - 1;
  RunTable table{std::vector<RunLine>(runs), kNoRow};
  const std::size_t parts = std::min<std::size_t>(
      std::max(1U, threads), std::max<std::size_t>(1, runs / kRunsWorthAThread));
  std::vector<std::size_t> bad(parts, kNoRow);
  in_parallel(parts, [&](std::size_t part) {
    State state;  // whose memory serves all runs
    for (std::size_t k = runs * part / parts; k < runs * (part + 1) / parts; ++k) {
      const std::size_t first = offsets[k];
      state.clear();
      const std::size_t row =
          state.add(lr.from(first), loss.from(first), offsets[k + 1] - first, 0);
      if (row != kNoRow) {
        bad[part] = first + row;
        return;
      }
      table.lines[k] = line_of(state);
    }
  });
  table.bad_row = *std::min_element(bad.begin(), bad.end());
  return table;
}

}  // namespace clrfast::analysis
