#include "bindings/common.hpp"

namespace clrfast {
void bind_schedule(py::module_&) {}
}  // namespace clrfast
