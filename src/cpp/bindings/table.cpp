// The type _core.Table, written against CPython itself: calling a schedule inside a training loop
// has to cost no more than a C function, and pybind11's dispatcher costs ten times that.
#include "bindings/table.hpp"

#include <structmember.h>

#include <array>
#include <cstddef>
#include <utility>

namespace clrfast {

namespace {

struct TableObject {
  PyObject_HEAD;
  vectorcallfunc call;
  const View* view;  // the table's, one step nearer for the hot call
  std::shared_ptr<const Table> table;
};

PyTypeObject* table_type = nullptr;

constexpr std::array<std::pair<const char*, Shape>, 8> kShapes{
    {{"constant", Shape::constant},
     {"linear", Shape::linear},
     {"cosine", Shape::cosine},
     {"welch", Shape::welch},
     {"power", Shape::power},
     {"root", Shape::root},
     {"exponential", Shape::exponential},
     {"inverse_root", Shape::inverse_root}}};

constexpr std::array<std::pair<const char*, Scaling::Per>, 3> kPer{
    {{"none", Scaling::Per::none}, {"cycle", Scaling::Per::cycle}, {"step", Scaling::Per::step}}};

template <class Names>
auto named(const Names& names, const std::string& what, const std::string& name) {
  std::string allowed;
  for (const auto& [known, value] : names) {
    if (name == known) return value;
    allowed += (allowed.empty() ? "" : ", ") + std::string(known);
  }
  throw std::invalid_argument(what + " must be one of " + allowed + ", got '" + name + "'");
}

template <class Names, class Value>
const char* name_of(const Names& names, Value value) {
  for (const auto& [known, other] : names) {
    if (other == value) return known;
  }
  return "";
}

Piece piece_from(const py::tuple& t) {
  Piece piece{};
  piece.until = t[0].cast<double>();
  if (py::isinstance<py::str>(t[1])) {
    piece.curve.shape = named(kShapes, "shape", t[1].cast<std::string>());
    piece.curve.start = t[2].cast<double>();
    piece.curve.end = t[3].cast<double>();
    piece.curve.param = t[4].cast<double>();
  } else {
    table_of(t[1]);  // the type check
    piece.nested = reinterpret_cast<TableObject*>(py::object(t[1]).ptr())->table;
  }
  return piece;
}

std::shared_ptr<const Table> table_from(const py::args& spec) {
  if (spec.size() != 5) {
    throw py::type_error("a table is made of pieces, cycles, cycle_mult, scaling and map");
  }
  std::vector<Piece> pieces;
  for (py::handle piece : spec[0]) pieces.push_back(piece_from(py::cast<py::tuple>(piece)));
  const auto s = py::cast<py::tuple>(spec[3]);
  Scaling scaling{named(kPer, "per", s[0].cast<std::string>()), s[1].cast<double>(),
                  s[3].cast<std::vector<double>>(), s[2].cast<double>()};
  const auto m = py::cast<py::tuple>(spec[4]);
  const Map map{m[0].cast<double>(), m[1].cast<double>(), m[2].cast<double>(), m[3].cast<double>()};
  return std::make_shared<const Table>(std::move(pieces), spec[1].cast<std::int64_t>(),
                                       spec[2].cast<double>(), std::move(scaling), map);
}

PyObject* call(PyObject* self, PyObject* const* args, std::size_t nargsf, PyObject* kwnames) {
  const View& view = *reinterpret_cast<TableObject*>(self)->view;
  if (PyVectorcall_NARGS(nargsf) != 1 || (kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0)) {
    PyErr_SetString(PyExc_TypeError, "a schedule is called with one argument: schedule(step)");
    return nullptr;
  }
  PyObject* step = args[0];
  if (const std::int64_t whole = whole_step(step); whole >= 0) {
    return PyFloat_FromDouble(view.at(whole));
  }
  return guarded([&] { return values_at(view, step).release().ptr(); });
}

py::object wrap(PyTypeObject* type, std::shared_ptr<const Table> table) {
  auto object = py::reinterpret_steal<py::object>(type->tp_alloc(type, 0));
  if (!object) throw py::error_already_set();
  auto* self = reinterpret_cast<TableObject*>(object.ptr());
  self->call = call;
  self->view = &table->view();
  new (&self->table) std::shared_ptr<const Table>(std::move(table));
  return object;
}

PyObject* make(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0) {
      throw py::type_error("a table takes no keyword arguments");
    }
    return wrap(type, table_from(py::reinterpret_borrow<py::args>(args))).release().ptr();
  });
}

void destroy(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  reinterpret_cast<TableObject*>(self)->table.~shared_ptr();
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

PyObject* spec(PyObject* self, void*) {
  return guarded([&] {
    const Table& table = *reinterpret_cast<TableObject*>(self)->table;
    const View& view = table.view();
    py::list pieces;
    for (const Piece& piece : table.pieces()) {
      if (piece.nested) {
        pieces.append(py::make_tuple(piece.until, wrap(table_type, piece.nested)));
      } else {
        const Curve& c = piece.curve;
        pieces.append(
            py::make_tuple(piece.until, name_of(kShapes, c.shape), c.start, c.end, c.param));
      }
    }
    const Scaling& s = table.scaling();
    return py::make_tuple(
               py::tuple(pieces), view.cycles, table.cycle_mult(),
               py::make_tuple(name_of(kPer, s.per), s.gamma, s.floor,
                              py::tuple(py::cast(s.factors))),
               py::make_tuple(view.map.scale, view.map.offset, view.map.low, view.map.high))
        .release()
        .ptr();
  });
}

PyObject* total(PyObject* self, void*) {
  return PyFloat_FromDouble(reinterpret_cast<TableObject*>(self)->table->view().total);
}

PyMethodDef methods[] = {
    {"__init_subclass__",
     reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(init_subclass)),
     METH_CLASS | METH_VARARGS | METH_KEYWORDS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef getters[] = {
    {"_spec", spec, nullptr, "The arguments that make this table again.", nullptr},
    {"_total", total, nullptr, "Steps until the value is held; infinity where it never is.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(TableObject, call), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(make)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(destroy)},
                       {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, getters},
                       {Py_tp_members, members},
                       {0, nullptr}};

PyType_Spec type_spec = {"clrfast._core.Table", sizeof(TableObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL,
                         slots};

}  // namespace

const Table& table_of(py::handle object) {
  if (!PyObject_TypeCheck(object.ptr(), table_type)) {
    throw py::type_error("expected a clrfast.Schedule, got " +
                         std::string(Py_TYPE(object.ptr())->tp_name));
  }
  return *reinterpret_cast<TableObject*>(object.ptr())->table;
}

void bind_table(py::module_& m) {
  auto type = py::reinterpret_steal<py::object>(PyType_FromSpec(&type_spec));
  if (!type) throw py::error_already_set();
  table_type = reinterpret_cast<PyTypeObject*>(type.ptr());
  m.attr("Table") = type;
  m.def("fill", [](py::handle self, std::int64_t start, py::array out) {
    const View& view = table_of(self).view();
    const auto n = static_cast<std::size_t>(out.size());
    const auto write = [&](auto* data) {
      const py::gil_scoped_release
          unlocked;  // the array is held, and nothing else of Python's is used
      view.fill(start, n, data);
    };
    if (py::isinstance<py::array_t<double>>(out)) {
      write(static_cast<double*>(out.mutable_data()));
    } else {
      write(static_cast<float*>(out.mutable_data()));
    }
  });
}

}  // namespace clrfast
