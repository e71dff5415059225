// The counts of steps that a scheduler keeps in its __dict__, under the names that torch gives
// them.
#pragma once

#include <optional>

#include "bindings/step_plan.hpp"

namespace clrfast {

struct StepCounts {
  std::int64_t last_epoch;
  std::int64_t step_count;  // _step_count, or -1 where restarts are counted, as in torch
  std::int64_t t_cur, t_i;  // T_cur and T_i, or -1 where no restarts are counted
  When when;                // what the curves are evaluated at
};

// The counts after one more step. Nothing where a count is no plain int, and nothing in the first
// step, for torch then looks at the order of the calls: those steps are left to Python.
std::optional<StepCounts> next_counts(PyObject* attributes, bool counts_restarts);

// Stores what is counted; false where a Python error is set.
bool store(PyObject* attributes, const StepCounts& counts);

}  // namespace clrfast
