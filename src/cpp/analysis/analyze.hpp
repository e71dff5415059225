// From the statistics of a log to its phases and to a suggested range of rates.
#pragma once

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
  double divergence_lr;   // it has risen by much of what it fell, or is no longer finite
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
  Points points;  // the cells up to where the loss stops being finite, losses capped
  std::vector<double> lowest, highest;  // of the losses, uncapped, in the points' cells
  Curve curve;                          // fitted at the points
  double window;                        // half-width of its kernel, in ln(lr)
  Phases phases;
  Suggestion suggestion;
};

// A curve cannot be laid through fewer cells with a usable loss.
inline constexpr std::size_t kFewestCells = 3;

// Throws std::invalid_argument if there are fewer than kFewestCells.
Analysis analyze(const State& state);

}  // namespace clrfast::analysis
