// The type _core.Stepper, which the schedulers inherit from: their method step() as a C function.
//
// Python prepares a plan (step_plan.hpp). A step then counts on (step_counts.hpp) and carries the
// plan out. Whatever is special, first of all a plan that is missing or no longer fits the
// optimizer, is left to the method _step_slowly.

#include <cmath>
#include <utility>

#include "bindings/step_counts.hpp"
#include "bindings/step_plan.hpp"

namespace clrfast {

namespace {

struct StepperObject {
  PyObject_HEAD;
  std::shared_ptr<StepPlan> plan;  // a step holds it too: what it calls may drop the plan
  PyObject* last_lr;               // the rates of the last step, once somebody asked for them
};

PyObject* optimizer_name = nullptr;
PyObject* step_count_name = nullptr;
PyObject* step_slowly_name = nullptr;
PyObject* schedule_type = nullptr;

StepperObject* stepper(PyObject* self) { return reinterpret_cast<StepperObject*>(self); }

// What was there is released last, since that may run Python code.
void set_known_last_lr(PyObject* self, py::object rates) {
  PyObject* before = stepper(self)->last_lr;
  stepper(self)->last_lr = rates.release().ptr();
  Py_XDECREF(before);
}

Outcome step_quickly(PyObject* self) {
  const std::shared_ptr<StepPlan> plan = stepper(self)->plan;
  if (!plan) return Outcome::stale;
  const auto attributes = py::reinterpret_steal<py::object>(PyObject_GenericGetDict(self, nullptr));
  if (!attributes) return Outcome::failed;
  if (PyDict_GetItemWithError(attributes.ptr(), optimizer_name) != plan->optimizer.ptr()) {
    return PyErr_Occurred() ? Outcome::failed : Outcome::stale;
  }
  const auto counts = next_counts(attributes.ptr(), plan->counts_restarts);
  if (!counts || counts->last_epoch > plan->last_step) return Outcome::stale;
  const Outcome outcome = plan->write(counts->when);
  if (outcome != Outcome::done) return outcome;
  if (!store(attributes.ptr(), *counts)) return Outcome::failed;
  set_known_last_lr(self, py::object());
  return Outcome::done;
}

// Torch's step() counts first; where it then fails, the count is what it was.
PyObject* step_slowly(PyObject* self, PyObject* epoch) {
  const auto attributes = py::reinterpret_steal<py::object>(PyObject_GenericGetDict(self, nullptr));
  if (!attributes) return nullptr;
  const auto count = py::reinterpret_borrow<py::object>(
      PyDict_GetItemWithError(attributes.ptr(), step_count_name));
  PyObject* arguments[] = {self, epoch};
  PyObject* result = PyObject_VectorcallMethod(step_slowly_name, arguments, 2, nullptr);
  if (result == nullptr && count) {
    const py::error_scope error;
    if (PyDict_SetItem(attributes.ptr(), step_count_name, count.ptr()) < 0) PyErr_Clear();
  }
  return result;
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
    return step_slowly(self, epoch);
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

PyObject* prepare(PyObject* self, PyObject* plan) {
  return guarded([&]() -> PyObject* {
    const std::shared_ptr<StepPlan> read = read_step_plan(plan, schedule_type);
    const std::shared_ptr<StepPlan> before = std::exchange(stepper(self)->plan, read);
    Py_RETURN_NONE;
  });
}

PyObject* forget(PyObject* self, PyObject*) {
  const std::shared_ptr<StepPlan> before = std::move(stepper(self)->plan);
  Py_RETURN_NONE;
}

PyObject* write(PyObject* self, PyObject* step) {
  return guarded([&]() -> PyObject* {
    const std::shared_ptr<StepPlan> plan = stepper(self)->plan;
    if (!plan) Py_RETURN_FALSE;
    const Outcome outcome = plan->write(when_from(step));
    if (outcome == Outcome::failed) return nullptr;
    set_known_last_lr(self, py::object());
    return PyBool_FromLong(outcome == Outcome::done);
  });
}

PyObject* values(PyObject* self, PyObject* step) {
  return guarded([&]() -> PyObject* {
    const std::shared_ptr<StepPlan> plan = stepper(self)->plan;
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
  set_known_last_lr(self, py::reinterpret_borrow<py::object>(value));
  return 0;
}

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self != nullptr) new (&stepper(self)->plan) std::shared_ptr<StepPlan>();
  return self;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(stepper(self)->last_lr);
  const std::shared_ptr<StepPlan>& plan = stepper(self)->plan;
  return plan.use_count() == 1 ? plan->traverse(visit, arg) : 0;
}

int clear(PyObject* self) {
  const std::shared_ptr<StepPlan> before = std::move(stepper(self)->plan);
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
    {"_prepare", prepare, METH_O, "Take over the Plan that the next steps carry out."},
    {"_forget", forget, METH_NOARGS, "Drop the plan."},
    {"_write", write, METH_O, "Write the values at a step; False where a new plan is needed."},
    {"_values", values, METH_O,
     "The values at a step, or for None those last written: (groups, places)."},
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
  optimizer_name = PyUnicode_InternFromString("optimizer");
  step_count_name = PyUnicode_InternFromString("_step_count");
  step_slowly_name = PyUnicode_InternFromString("_step_slowly");
  schedule_type = py::object(m.attr("Schedule")).release().ptr();
  auto type = py::reinterpret_steal<py::object>(PyType_FromSpec(&type_spec));
  if (!type) throw py::error_already_set();
  m.attr("Stepper") = type;
}

}  // namespace clrfast
