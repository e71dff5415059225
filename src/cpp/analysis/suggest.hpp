// The suggestion rule. In a sentence: max_lr is the rate a few steps before the minimum of the
// smoothed loss, and base_lr is where the plateau ends, between a tenth and a quarter of max_lr.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "analysis/fit.hpp"

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
  double base_lr, max_lr;  // NaN: there is no suggestion; the reasons say why
  Interval base_lr_interval, max_lr_interval;
  Confidence confidence;
  bool still_falling;                // at the log's end: a higher max_lr may be better
  std::vector<std::string> reasons;  // what lowered the confidence
};

struct Findings {
  Fit fit;        // at the points, with losses capped not far above where they start
  double window;  // its half-width, in ln(lr)
  Phases phases;
  Suggestion suggestion;
};

// What the rule needs to know beyond the points.
struct Circumstances {
  std::vector<std::int64_t> first, last;  // steps of each point's rows
  // ln(lr) from where on the loss is not finite
  double nonfinite_x = std::numeric_limits<double>::infinity();
};

// Without rates; `reason` says why.
Suggestion no_suggestion(const char* reason);

Findings suggest(const Points& points, const Circumstances& circumstances);

}  // namespace clrfast::analysis
