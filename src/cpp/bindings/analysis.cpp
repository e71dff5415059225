#include "bindings/common.hpp"

namespace clrfast {
void bind_analysis(py::module_&) {}
}  // namespace clrfast
