// Must be the first include of every binding file.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace clrfast {
namespace py = pybind11;

void bind_analysis(py::module_& m);
void bind_events(py::module_& m);
void bind_schedule(py::module_& m);
void bind_stepper(py::module_& m);

}  // namespace clrfast
