// Whether the rates of a log went as those of a range test go.
#pragma once

#include "analysis/state.hpp"

namespace clrfast::analysis {

// Why a log is no range test, in a sentence, or null. Ramps may rise or fall, stand still at each
// rate, and be repeated. A log that goes up and down and ends at the top looks like repeated ramps.
const char* no_range_test(const State& state) noexcept;

}  // namespace clrfast::analysis
