// From the steps that people pass to values: the part of a call that is not the fast path.
#include <cmath>

#include "bindings/schedule_type.hpp"

namespace clrfast {

namespace {

[[noreturn]] void refuse(py::handle steps, const char* why) {
  throw py::value_error("step must be >= 0 " + std::string(why) + ", got " +
                        py::repr(steps).cast<std::string>());
}

py::object whole_steps(const Evaluator& evaluator, const py::array& steps) {
  const auto in = py::array_t<std::int64_t, py::array::c_style | py::array::forcecast>(steps);
  const std::vector<py::ssize_t> shape(in.shape(), in.shape() + in.ndim());
  py::array_t<double> out(shape);
  const std::int64_t* step = in.data();
  double* value = out.mutable_data();
  const auto n = static_cast<std::size_t>(in.size());
  bool negative = false;
  {
    const py::gil_scoped_release unlocked;  // both arrays are held, and Python is not used
    for (std::size_t i = 0; i < n; ++i) negative |= step[i] < 0;
    // Steps mostly come in runs, and runs are what the vector kernels fill.
    for (std::size_t i = 0; !negative && i < n;) {
      std::size_t m = 1;
      while (i + m < n && step[i + m] - step[i] == static_cast<std::int64_t>(m)) ++m;
      evaluator.fill(step[i], m, value + i);
      i += m;
    }
  }
  if (negative) refuse(steps, "and below 2**63");
  return std::move(out);
}

py::object fractional_steps(const Evaluator& evaluator, const py::array& steps) {
  const auto in = py::array_t<double, py::array::c_style | py::array::forcecast>(steps);
  const std::vector<py::ssize_t> shape(in.shape(), in.shape() + in.ndim());
  py::array_t<double> out(shape);
  const double* step = in.data();
  double* value = out.mutable_data();
  const auto n = static_cast<std::size_t>(in.size());
  bool bad = false;
  {
    const py::gil_scoped_release unlocked;  // both arrays are held, and Python is not used
    for (std::size_t i = 0; i < n; ++i) bad |= !(step[i] >= 0.0 && std::isfinite(step[i]));
    for (std::size_t i = 0; !bad && i < n; ++i) value[i] = evaluator.at(step[i]);
  }
  if (bad) refuse(steps, "and finite");
  return std::move(out);
}

}  // namespace

py::object values_at(const Evaluator& evaluator, py::handle steps) {
  if (PyFloat_Check(steps.ptr())) {
    const double step = PyFloat_AS_DOUBLE(steps.ptr());
    if (!(step >= 0.0 && std::isfinite(step))) refuse(steps, "and finite");
    return py::float_(evaluator.at(step));
  }
  if (!py::isinstance<py::array>(steps) && !PyBool_Check(steps.ptr())) {
    // A Python or NumPy integer, or a tensor of one element.
    auto index = py::reinterpret_steal<py::object>(PyNumber_Index(steps.ptr()));
    if (index) {
      int overflow = 0;
      const long long step = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
      if (overflow != 0 || step < 0) refuse(steps, "and below 2**63");
      return py::float_(evaluator.at(static_cast<std::int64_t>(step)));
    }
    PyErr_Clear();
  }
  const auto array = py::array::ensure(steps);
  if (!array) throw py::error_already_set();
  const char kind = array.dtype().kind();
  if (kind == 'i' || kind == 'u') {
    // A 64-bit unsigned step that does not fit turns negative, and is then refused.
    return whole_steps(evaluator, array);
  }
  if (kind == 'f') return fractional_steps(evaluator, array);
  throw py::type_error("step must be an integer, a float or an array of either, got " +
                       (py::isinstance<py::array>(steps)
                            ? "an array of " + py::str(array.dtype()).cast<std::string>()
                            : py::repr(steps).cast<std::string>()));
}

}  // namespace clrfast
