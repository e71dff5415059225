// How a part of a step ended.
#pragma once

#include <cstdint>

namespace clrfast {

enum class Outcome : std::uint8_t {
  done,
  stale,   // the plan no longer fits; what was written is overwritten with the next plan
  failed,  // a Python error is set
};

}  // namespace clrfast
