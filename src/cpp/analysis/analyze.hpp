// From the statistics of a log to its phases and to a suggested range of rates: O(cells).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/curve.hpp"
#include "analysis/state.hpp"

namespace clrfast::analysis {

// Where the curve changes its character, as rates. NaN: it does not, within the log.
struct Phases {
  double plateau_end_lr;  // the loss begins to fall
  double steepest_lr;     // it falls fastest against ln(lr)
  double min_lr;          // it is lowest
  double turn_lr;         // it has begun to rise
  double divergence_lr;   // it is back above where it started, or no longer finite
};

struct Interval {
  double low, high;
};

enum class Confidence { kLow, kMedium, kHigh };

struct Suggestion {
  double base_lr, max_lr;
  Interval base_lr_interval, max_lr_interval;
  Confidence confidence;
  std::vector<std::string> reasons;  // what lowered the confidence
};

struct Analysis {
  Curve curve;
  Phases phases;
  Suggestion suggestion;
};

// What a log must have for an analysis: enough cells with a finite loss to lay a curve through.
inline constexpr int kFewestCells = 3;
int cells_with_loss(const State& state) noexcept;

// For a state of which cells_with_loss() is at least kFewestCells.
Analysis analyze(const State& state);

}  // namespace clrfast::analysis
