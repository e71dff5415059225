// The table of contents of clrfast._core: one bind_* function for each subject.
#include "bindings/common.hpp"

PYBIND11_MODULE(_core, m, pybind11::mod_gil_not_used()) {
  m.doc() = "The compiled core of clrfast. Use the names that the clrfast package exports.";
  clrfast::bind_schedule(m);
  clrfast::bind_analysis(m);
}
