// The number in a summary value of a TensorBoard event, in either of the ways in which it is
// written.
#pragma once

#include <optional>
#include <string_view>

namespace clrfast::events {

struct Value {
  std::string_view tag;
  std::optional<double> number;  // none: an image, a histogram, a text...
};

// Reads a Summary.Value (tensorboard/compat/proto/summary.proto). False: it is malformed.
// Scalars are a `simple_value`, or a `tensor` of one float or double (what TensorFlow 2 writes).
bool read_value(std::string_view bytes, Value& value) noexcept;

}  // namespace clrfast::events
