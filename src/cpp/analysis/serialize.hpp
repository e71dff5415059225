// States as bytes, for files, pickles and other machines.
#pragma once

#include <cstddef>
#include <string>

#include "analysis/state.hpp"

namespace clrfast::analysis {

// The same bytes on every machine.
std::string to_bytes(const State& state);

// Accepts anything: throws std::invalid_argument unless the bytes are a state that rows could have
// left behind.
State from_bytes(const char* bytes, std::size_t size);

}  // namespace clrfast::analysis
