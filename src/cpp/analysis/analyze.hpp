// From the statistics of a log to its curve, its phases and a suggested range of rates.
#pragma once

#include <cstdint>
#include <vector>

#include "analysis/fit.hpp"
#include "analysis/state.hpp"
#include "analysis/suggest.hpp"

namespace clrfast::analysis {

// All cells with a usable loss.
Points points_of(const State& state);

struct Analysis {
  std::int64_t rows, nonfinite;         // of the log
  double lowest_lr, highest_lr;         // likewise
  Points points;                        // up to where the loss is finite no more
  std::vector<double> lowest, highest;  // of the losses in these cells
  Findings findings;
};

// A curve cannot be laid through fewer cells with a usable loss.
inline constexpr std::size_t kFewestCells = 3;

std::size_t cells_with_loss(const State& state) noexcept;

// Throws std::invalid_argument if there are fewer than kFewestCells.
Analysis analyze(const State& state);

}  // namespace clrfast::analysis
