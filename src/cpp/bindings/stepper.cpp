// The type _core.Stepper: the method step() of a learning-rate scheduler, as a C function. Once a
// plan of what goes where is prepared, a step counts on and carries the plan out. Whatever is
// special, first of all a plan that is missing or no longer fits the optimizer, is left to the
// method _step_slowly.

#include <cmath>
#include <cstddef>
#include <limits>

#include "bindings/groups.hpp"

namespace clrfast {

namespace {

struct StepperObject {
  PyObject_HEAD;
  std::shared_ptr<Plan> plan;  // a step holds it too: what it calls may drop the plan
  PyObject* last_lr;           // the rates of the last step, once somebody asked for them
};

struct {
  PyObject *optimizer, *last_epoch, *step_count, *t_cur, *t_i, *t_mult, *step_slowly;
} names;
PyObject* schedule_type = nullptr;

StepperObject* stepper(PyObject* self) { return reinterpret_cast<StepperObject*>(self); }

// The exact Python int >= 0 of that name, or -1.
std::int64_t count_in(PyObject* attributes, PyObject* name) {
  PyObject* value = PyDict_GetItemWithError(attributes, name);
  return value == nullptr ? -1 : whole_step(value);
}

// After a step that was done; says whether it still is.
bool set(PyObject* attributes, PyObject* name, std::int64_t count, Outcome* outcome) {
  if (*outcome != Outcome::done) return false;
  const auto number = py::reinterpret_steal<py::object>(PyLong_FromLongLong(count));
  if (number && PyDict_SetItem(attributes, name, number.ptr()) == 0) return true;
  *outcome = Outcome::failed;
  return false;
}

// As torch's classes do, all but the one with restarts.
Outcome step_counted(Plan& plan, PyObject* attributes, std::int64_t step) {
  const std::int64_t count = count_in(attributes, names.step_count) + 1;
  if (count <= 2) return Outcome::stale;  // torch then looks at the order of the calls
  Outcome outcome = plan.write({true, step, 0.0});
  set(attributes, names.step_count, count, &outcome);
  return outcome;
}

// As CosineAnnealingWarmRestarts does.
Outcome step_with_restarts(Plan& plan, PyObject* attributes) {
  std::int64_t position = count_in(attributes, names.t_cur) + 1;
  std::int64_t length = count_in(attributes, names.t_i);
  const std::int64_t mult = count_in(attributes, names.t_mult);
  if (position <= 0 || length <= 0 || mult <= 0) return Outcome::stale;
  const bool restart = position >= length;
  if (restart) {
    if (length > std::numeric_limits<std::int64_t>::max() / mult) return Outcome::stale;
    position %= length;
    length *= mult;
  }
  Outcome outcome =
      plan.write({false, 0, static_cast<double>(position) / static_cast<double>(length)});
  set(attributes, names.t_cur, position, &outcome);
  if (restart) set(attributes, names.t_i, length, &outcome);
  return outcome;
}

Outcome step_quickly(PyObject* self) {
  const std::shared_ptr<Plan> plan = stepper(self)->plan;
  if (!plan) return Outcome::stale;
  const auto dict = py::reinterpret_steal<py::object>(PyObject_GenericGetDict(self, nullptr));
  if (!dict) return Outcome::failed;
  PyObject* attributes = dict.ptr();
  if (PyDict_GetItemWithError(attributes, names.optimizer) != plan->optimizer.ptr()) {
    return PyErr_Occurred() ? Outcome::failed : Outcome::stale;
  }
  const std::int64_t step = count_in(attributes, names.last_epoch) + 1;
  if (step <= 0 || step > plan->limit) return Outcome::stale;
  Outcome outcome = plan->restarts ? step_with_restarts(*plan, attributes)
                                   : step_counted(*plan, attributes, step);
  if (set(attributes, names.last_epoch, step, &outcome)) Py_CLEAR(stepper(self)->last_lr);
  return outcome;
}

PyObject* step(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    const Py_ssize_t keywords = kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames);
    if (nargs + keywords > 1 ||
        (keywords == 1 &&
         PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(kwnames, 0), "epoch") != 0)) {
      throw py::type_error("step() takes at most one argument, epoch");
    }
    PyObject* epoch = nargs + keywords == 1 ? args[0] : Py_None;
    if (epoch == Py_None) {
      const Outcome outcome = step_quickly(self);
      if (outcome == Outcome::failed) return nullptr;
      if (outcome == Outcome::done) Py_RETURN_NONE;
    }
    PyObject* arguments[] = {self, epoch};
    return PyObject_VectorcallMethod(names.step_slowly, arguments, 2, nullptr);
  });
}

When when_from(PyObject* step) {
  if (const std::int64_t whole = whole_step(step); whole >= 0) return {true, whole, 0.0};
  const double fraction = PyFloat_AsDouble(step);
  if (fraction == -1.0 && PyErr_Occurred()) throw py::error_already_set();
  if (!(fraction >= 0.0 && std::isfinite(fraction))) {
    throw py::value_error("a step must be >= 0 and finite, got " +
                          py::repr(step).cast<std::string>());
  }
  return {false, 0, fraction};
}

PyObject* prepare(PyObject* self, PyObject* arguments) {
  return guarded([&]() -> PyObject* {
    stepper(self)->plan = plan_from(py::reinterpret_borrow<py::args>(arguments), schedule_type);
    Py_RETURN_NONE;
  });
}

PyObject* forget(PyObject* self, PyObject*) {
  stepper(self)->plan.reset();
  Py_RETURN_NONE;
}

PyObject* write(PyObject* self, PyObject* step) {
  return guarded([&]() -> PyObject* {
    const std::shared_ptr<Plan> plan = stepper(self)->plan;
    if (!plan) Py_RETURN_FALSE;
    const Outcome outcome = plan->write(when_from(step));
    if (outcome == Outcome::failed) return nullptr;
    Py_CLEAR(stepper(self)->last_lr);
    return PyBool_FromLong(outcome == Outcome::done);
  });
}

PyObject* values(PyObject* self, PyObject* step) {
  return guarded([&]() -> PyObject* {
    const std::shared_ptr<Plan> plan = stepper(self)->plan;
    if (!plan) Py_RETURN_NONE;
    py::object written = plan->values.attr("copy")();
    if (step == Py_None) return written.release().ptr();
    const Outcome outcome = plan->fill(when_from(step));
    if (outcome == Outcome::failed) return nullptr;
    if (outcome == Outcome::stale) Py_RETURN_NONE;
    py::object asked = plan->values.attr("copy")();
    plan->values[py::ellipsis()] = written;
    return asked.release().ptr();
  });
}

PyObject* last_lr(PyObject* self, void*) {
  PyObject* known = stepper(self)->last_lr;
  return py::reinterpret_borrow<py::object>(known == nullptr ? Py_None : known).release().ptr();
}

int set_last_lr(PyObject* self, PyObject* value, void*) {
  Py_CLEAR(stepper(self)->last_lr);
  stepper(self)->last_lr = py::reinterpret_borrow<py::object>(value).release().ptr();
  return 0;
}

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self != nullptr) new (&stepper(self)->plan) std::shared_ptr<Plan>();
  return self;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(stepper(self)->last_lr);
  const std::shared_ptr<Plan>& plan = stepper(self)->plan;
  return plan.use_count() == 1 ? plan->traverse(visit, arg) : 0;
}

int clear(PyObject* self) {
  stepper(self)->plan.reset();
  Py_CLEAR(stepper(self)->last_lr);
  return 0;
}

void destroy(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear(self);
  stepper(self)->plan.~shared_ptr();
  type->tp_free(self);
  Py_DECREF(type);
}

constexpr const char* kStepDoc =
    "step($self, epoch=None)\n"
    "--\n\n"
    "Count on, and write the values of the new step into every parameter group.\n\n"
    "Call it after ``optimizer.step()``. A given epoch is gone to directly, which torch "
    "deprecates.";

template <class Function>
PyCFunction as_c_function(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef methods[] = {
    {"step", as_c_function(step), METH_FASTCALL | METH_KEYWORDS, kStepDoc},
    {"_prepare", prepare, METH_VARARGS, "Make the plan that the next steps carry out."},
    {"_forget", forget, METH_NOARGS, "Drop the plan."},
    {"_write", write, METH_O, "Write the values at a step; False where a new plan is needed."},
    {"_values", values, METH_O,
     "The values at a step, or for None those last written: (groups, columns)."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef accessors[] = {{"_known_last_lr", last_lr, set_last_lr,
                            "What get_last_lr() gave since the last step, or None.", nullptr},
                           {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>("The step of a learning-rate scheduler.")},
                       {Py_tp_new, reinterpret_cast<void*>(make)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
                       {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, accessors},
                       {0, nullptr}};

PyType_Spec type_spec = {"clrfast._core.Stepper", sizeof(StepperObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};

}  // namespace

void bind_stepper(py::module_& m) {
  const auto name = [](const char* text) { return PyUnicode_InternFromString(text); };
  names = {name("optimizer"), name("last_epoch"), name("_step_count"), name("T_cur"),
           name("T_i"),       name("T_mult"),     name("_step_slowly")};
  schedule_type = py::object(m.attr("Schedule")).release().ptr();
  auto type = py::reinterpret_steal<py::object>(PyType_FromSpec(&type_spec));
  if (!type) throw py::error_already_set();
  m.attr("Stepper") = type;
}

}  // namespace clrfast
