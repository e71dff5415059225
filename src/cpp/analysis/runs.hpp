// Many logs at once: a table with one line a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "analysis/analyze.hpp"
#include "analysis/column.hpp"
#include "analysis/state.hpp"

namespace clrfast::analysis {

// The suggestion is that of an empty log if too few cells have a usable loss.
struct RunLine {
  std::int64_t rows, nonfinite;
  Phases phases;
  Suggestion suggestion;
};

RunLine line_of(const State& state);

struct RunTable {
  std::vector<RunLine> lines;
  std::size_t bad_row;  // the first with a bad rate, or kNoRow; then the lines are void
};

// Run k has the rows from offsets[k] to offsets[k + 1]; each run's steps start at 0. The offsets
// ascend, from at least 0.
RunTable analyze_runs(const Column& lr, const Column& loss, const std::vector<std::size_t>& offsets,
                      unsigned threads);

}  // namespace clrfast::analysis
