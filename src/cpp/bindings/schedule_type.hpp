// What the binding files share about schedules.
#pragma once

#include "bindings/common.hpp"
#include "schedule/schedule.hpp"

namespace clrfast {

// The schedule inside a _core.Schedule object. Throws TypeError for anything else.
const std::shared_ptr<const Schedule>& schedule_of(py::handle object);

// A _core.Schedule object around it.
py::object wrapped(std::shared_ptr<const Schedule> schedule);

// The values at `steps`, whatever they are: a number, or anything that NumPy makes an array of.
// A number gives a Python float, an array gives a float64 array of the same shape.
py::object values_at(const Evaluator& evaluator, py::handle steps);

// The step where `object` is an exact Python int from 0 to 2**63 - 1; otherwise -1, for the slow
// path.
inline std::int64_t whole_step(PyObject* object) {
  if (!PyLong_CheckExact(object)) return -1;
#if PY_VERSION_HEX >= 0x030C0000 && !defined(PYPY_VERSION)
  const auto* number = reinterpret_cast<PyLongObject*>(object);
  if (PyUnstable_Long_IsCompact(number)) return PyUnstable_Long_CompactValue(number);
#elif PY_VERSION_HEX >= 0x030B0000 && !defined(PYPY_VERSION)
  const auto* number = reinterpret_cast<PyLongObject*>(object);
  if (Py_SIZE(number) == 1) return number->ob_digit[0];
#endif
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  return overflow == 0 && value >= 0 ? static_cast<std::int64_t>(value) : -1;
}

// Runs `body` and turns a C++ or Python exception into a raised Python error and a null.
template <class Body>
PyObject* guarded(Body body) noexcept {
  try {
    return body();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::invalid_argument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

}  // namespace clrfast
