// The type _core.Schedule, written against CPython itself: calling a schedule inside a training
// loop has to cost no more than a C function, and pybind11's dispatcher costs ten times that.
#include "bindings/schedule_type.hpp"

#include <structmember.h>

#include <cstddef>
#include <utility>

namespace clrfast {

namespace {

struct ScheduleObject {
  PyObject_HEAD;
  vectorcallfunc call;
  const Evaluator* evaluator;  // the schedule's, one step nearer for the hot call
  std::shared_ptr<const Schedule> schedule;
};

PyTypeObject* schedule_type = nullptr;

ScheduleObject* object(PyObject* self) { return reinterpret_cast<ScheduleObject*>(self); }

PyObject* call(PyObject* self, PyObject* const* args, std::size_t nargsf, PyObject* kwnames) {
  const Evaluator& evaluator = *object(self)->evaluator;
  if (PyVectorcall_NARGS(nargsf) != 1 || (kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0)) {
    PyErr_SetString(PyExc_TypeError, "a schedule is called with one argument: schedule(step)");
    return nullptr;
  }
  PyObject* step = args[0];
  if (const std::int64_t whole = whole_step(step); whole >= 0) {
    return PyFloat_FromDouble(evaluator.at(whole));
  }
  return guarded([&] { return values_at(evaluator, step).release().ptr(); });
}

py::object wrap(PyTypeObject* type, std::shared_ptr<const Schedule> schedule) {
  auto made = py::reinterpret_steal<py::object>(type->tp_alloc(type, 0));
  if (!made) throw py::error_already_set();
  ScheduleObject* self = object(made.ptr());
  self->call = call;
  self->evaluator = &schedule->evaluator();
  new (&self->schedule) std::shared_ptr<const Schedule>(std::move(schedule));
  return made;
}

template <class Part>
Part part_or_default(PyObject* given, const char* name) {
  if (given == nullptr) return {};
  if (!py::isinstance<Part>(given)) {
    throw py::type_error(std::string(name) + " must be a _core part of that name, got " +
                         py::repr(given).cast<std::string>());
  }
  return py::cast<Part>(py::handle(given));
}

PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    const char* names[] = {"pieces", "cycles", "cycle_mult", "scaling", "map", nullptr};
    PyObject* given = nullptr;
    long long cycles = 1;
    double cycle_mult = 1.0;
    PyObject* scaling = nullptr;
    PyObject* map = nullptr;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$LdOO:Schedule", const_cast<char**>(names),
                                     &given, &cycles, &cycle_mult, &scaling, &map)) {
      return nullptr;
    }
    std::vector<Piece> pieces;
    for (py::handle piece : py::iter(given)) {
      if (!py::isinstance<Piece>(piece)) {
        throw py::type_error("pieces must hold _core.Piece objects, got " +
                             py::repr(piece).cast<std::string>());
      }
      pieces.push_back(piece.cast<const Piece&>());
    }
    return wrap(type, std::make_shared<const Schedule>(std::move(pieces), cycles, cycle_mult,
                                                       part_or_default<Scaling>(scaling, "scaling"),
                                                       part_or_default<Map>(map, "map")))
        .release()
        .ptr();
  });
}

void destroy(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  object(self)->schedule.~shared_ptr();
  type->tp_free(self);
  Py_DECREF(type);
}

// Before Python 3.12 a class written in Python does not inherit the flag that lets the interpreter
// call through the pointer in the object, although it inherits the pointer.
PyObject* init_subclass(PyObject* cls, PyObject*, PyObject*) {
  auto* type = reinterpret_cast<PyTypeObject*>(cls);
  type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
  PyType_Modified(type);
  Py_RETURN_NONE;
}

PyObject* compare(PyObject* self, PyObject* other, int operation) {
  if ((operation != Py_EQ && operation != Py_NE) || !PyObject_TypeCheck(other, schedule_type)) {
    Py_RETURN_NOTIMPLEMENTED;
  }
  const bool same = *object(self)->schedule == *object(other)->schedule;
  return PyBool_FromLong(same == (operation == Py_EQ));
}

// A getter of what `read` finds in the schedule.
template <class Read>
PyObject* found(PyObject* self, Read read) {
  return guarded([&] { return py::cast(read(*object(self)->schedule)).release().ptr(); });
}

PyObject* pieces(PyObject* self, void*) {
  return guarded(
      [&] { return py::tuple(py::cast(object(self)->schedule->pieces())).release().ptr(); });
}

PyObject* cycles(PyObject* self, void*) {
  return found(self, [](const Schedule& schedule) { return schedule.cycles(); });
}

PyObject* cycle_mult(PyObject* self, void*) {
  return found(self, [](const Schedule& schedule) { return schedule.cycle_mult(); });
}

PyObject* scaling(PyObject* self, void*) {
  return found(self, [](const Schedule& schedule) { return schedule.scaling(); });
}

PyObject* map(PyObject* self, void*) {
  return found(self, [](const Schedule& schedule) { return schedule.map(); });
}

PyObject* total_steps(PyObject* self, void*) {
  const std::uint64_t steps = object(self)->schedule->total_steps();
  return steps == kNever ? PyFloat_FromDouble(std::numeric_limits<double>::infinity())
                         : PyLong_FromUnsignedLongLong(steps);
}

PyMethodDef methods[] = {
    {"__init_subclass__",
     reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(init_subclass)),
     METH_CLASS | METH_VARARGS | METH_KEYWORDS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef getters[] = {
    {"_pieces", pieces, nullptr, "The row of pieces.", nullptr},
    {"_cycles", cycles, nullptr, "How often the row is run; 0 means forever.", nullptr},
    {"_cycle_mult", cycle_mult, nullptr, "How many times as long each next cycle is.", nullptr},
    {"_scaling", scaling, nullptr, "How the distance from a floor changes.", nullptr},
    {"_map", map, nullptr, "What happens to each value last.", nullptr},
    {"_total_steps", total_steps, nullptr,
     "For how many steps there are values; infinity where they never end.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(ScheduleObject, call), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(make)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
                       {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                       {Py_tp_richcompare, reinterpret_cast<void*>(compare)},
                       {Py_tp_hash, reinterpret_cast<void*>(PyObject_HashNotImplemented)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, getters},
                       {Py_tp_members, members},
                       {0, nullptr}};

PyType_Spec type_spec = {"clrfast._core.Schedule", sizeof(ScheduleObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL,
                         slots};

}  // namespace

const std::shared_ptr<const Schedule>& schedule_of(py::handle given) {
  if (!PyObject_TypeCheck(given.ptr(), schedule_type)) {
    throw py::type_error("expected a clrfast.Schedule, got " +
                         std::string(Py_TYPE(given.ptr())->tp_name));
  }
  return object(given.ptr())->schedule;
}

py::object wrapped(std::shared_ptr<const Schedule> schedule) {
  return wrap(schedule_type, std::move(schedule));
}

void bind_schedule_type(py::module_& m) {
  auto type = py::reinterpret_steal<py::object>(PyType_FromSpec(&type_spec));
  if (!type) throw py::error_already_set();
  schedule_type = reinterpret_cast<PyTypeObject*>(type.ptr());
  m.attr("Schedule") = type;
  m.def("fill", [](py::handle self, std::int64_t start, py::array out) {
    const Evaluator& evaluator = schedule_of(self)->evaluator();
    const auto n = static_cast<std::size_t>(out.size());
    const auto write = [&](auto* data) {
      const py::gil_scoped_release unlocked;  // the array is held, and no other Python is used
      evaluator.fill(start, n, data);
    };
    if (py::isinstance<py::array_t<double>>(out)) {
      write(static_cast<double*>(out.mutable_data()));
    } else {
      write(static_cast<float*>(out.mutable_data()));
    }
  });
}

}  // namespace clrfast
