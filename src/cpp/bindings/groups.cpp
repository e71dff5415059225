// The writing of a plan: each distinct curve is evaluated once, and what its groups make of it is
// put where it belongs. Written against CPython itself: the floor of a step is a dictionary look-up
// a group.
#include "bindings/groups.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace clrfast {

namespace {

Outcome call(PyObject* callable, const When& when, double* out) {
  const auto step = py::reinterpret_steal<py::object>(
      when.whole ? PyLong_FromLongLong(when.step) : PyFloat_FromDouble(when.fraction));
  if (!step) return Outcome::failed;
  PyObject* arguments[] = {nullptr, step.ptr()};
  const auto result = py::reinterpret_steal<py::object>(
      PyObject_Vectorcall(callable, arguments + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  if (!result) return Outcome::failed;
  *out = PyFloat_AsDouble(result.ptr());
  if (*out == -1.0 && PyErr_Occurred()) return Outcome::failed;
  if (std::isfinite(*out)) return Outcome::done;
  PyErr_Format(PyExc_ValueError, "a schedule must return finite numbers, got %R at step %R",
               result.ptr(), step.ptr());
  return Outcome::failed;
}

// Nobody else can see a float whose only owner is its container, so it is overwritten, as CPython's
// interpreter does with the floats on its stack. That saves an allocation and the container's work.
bool overwrite([[maybe_unused]] PyObject* number, [[maybe_unused]] double value) {
#if !defined(Py_GIL_DISABLED) && !defined(PYPY_VERSION)
  if (PyFloat_CheckExact(number) && Py_REFCNT(number) == 1) {
    reinterpret_cast<PyFloatObject*>(number)->ob_fval = value;
    return true;
  }
#endif
  return false;
}

py::object with_element(PyObject* tuple, Py_ssize_t slot, const py::object& element) {
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  auto copy = py::reinterpret_steal<py::object>(PyTuple_New(n));
  for (Py_ssize_t i = 0; copy && i < n; ++i) {
    PyObject* item = i == slot ? element.ptr() : PyTuple_GET_ITEM(tuple, i);
    Py_INCREF(item);
    PyTuple_SET_ITEM(copy.ptr(), i, item);
  }
  return copy;
}

// `whole` is what the group holds, and `current` is it or its element.
Outcome put_number(PyObject* group, const Column& column, PyObject* whole, PyObject* current,
                   double value) {
  const bool in_tuple = column.slot >= 0;
  if ((!in_tuple || Py_REFCNT(whole) == 1) && overwrite(current, value)) return Outcome::done;
  if (!PyFloat_Check(current) && !PyLong_Check(current)) return Outcome::stale;
  auto put = py::reinterpret_steal<py::object>(PyFloat_FromDouble(value));
  if (put && in_tuple) put = with_element(whole, column.slot, put);
  if (!put || PyDict_SetItem(group, column.key.ptr(), put.ptr()) < 0) return Outcome::failed;
  return Outcome::done;
}

// A dictionary's positions, as PyDict_Next counts them, stay what they are until keys are removed.
// To look there first saves the look-up that is the greater part of a step.
PyObject* find(PyObject* dict, const Target& target, PyObject* key) {
  Py_ssize_t position = target.position;
  PyObject* there = nullptr;
  PyObject* value = nullptr;
  if (PyDict_Next(dict, &position, &there, &value) && there == target.key) return value;
  return PyDict_GetItemWithError(dict, key);
}

// Where the key is, and which of all equal strings it is there.
void locate(PyObject* dict, PyObject* key, Target* target, std::vector<py::object>* held) {
  PyObject* there = nullptr;
  Py_ssize_t next = 0;
  for (Py_ssize_t position = 0; PyDict_Next(dict, &next, &there, nullptr); position = next) {
    if (!PyUnicode_Check(there) || PyUnicode_Compare(there, key) != 0) continue;
    target->position = position;
    target->key = there;
    held->push_back(py::reinterpret_borrow<py::object>(there));
    return;
  }
}

Outcome put(PyObject* group, const Column& column, const Target& target, double value) {
  PyObject* whole = find(group, target, column.key.ptr());
  if (whole == nullptr) return PyErr_Occurred() ? Outcome::failed : Outcome::stale;
  PyObject* current = whole;
  if (column.slot >= 0) {
    if (!PyTuple_CheckExact(whole) || column.slot >= PyTuple_GET_SIZE(whole)) return Outcome::stale;
    current = PyTuple_GET_ITEM(whole, column.slot);
  }
  if (target.kind == Kind::number) return put_number(group, column, whole, current, value);
  if (current != target.tensor) return Outcome::stale;
  if (target.kind == Kind::float32) {
    *static_cast<float*>(target.memory) = static_cast<float>(value);
  } else if (target.kind == Kind::float64) {
    *static_cast<double*>(target.memory) = value;
  }
  return Outcome::done;
}

bool same(PyObject* list, const std::vector<py::object>& elements) {
  if (!PyList_CheckExact(list)) return false;
  const auto n = static_cast<std::size_t>(PyList_GET_SIZE(list));
  static_assert(sizeof(py::object) == sizeof(PyObject*), "both are arrays of pointers");
  const auto* now = static_cast<const void*>(PySequence_Fast_ITEMS(list));
  const auto* before = static_cast<const void*>(elements.data());
  return n == elements.size() && (n == 0 || std::memcmp(now, before, n * sizeof(PyObject*)) == 0);
}

std::vector<py::object> elements_of(py::handle list) {
  std::vector<py::object> elements;
  for (py::handle element : py::cast<py::list>(list)) {
    elements.push_back(py::reinterpret_borrow<py::object>(element));
  }
  return elements;
}

Target target_from(py::handle description, std::size_t sources) {
  if (description.is_none()) return {};
  const auto t = py::cast<py::tuple>(description);
  const Target target{t[1].cast<double>(),
                      {t[3].cast<double>(), t[5].cast<double>()},
                      {t[2].cast<std::uint32_t>(), t[4].cast<std::uint32_t>()},
                      static_cast<Kind>(t[0].cast<int>()),
                      py::object(t[6]).ptr(),
                      reinterpret_cast<void*>(t[7].cast<std::uintptr_t>()),
                      nullptr,
                      0};
  if (std::max(target.source[0], target.source[1]) >= sources) {
    throw std::invalid_argument("a target names a source that is not there");
  }
  return target;
}

}  // namespace

Outcome Plan::evaluate(const When& when) {
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Evaluator* evaluator = sources[i].evaluator;
    if (evaluator != nullptr) {
      source_values[i] = when.whole ? evaluator->at(when.step) : evaluator->at(when.fraction);
    } else if (call(sources[i].callable.ptr(), when, &source_values[i]) != Outcome::done) {
      return Outcome::failed;
    }
  }
  return Outcome::done;
}

double Plan::value(const Target& t) const {
  const double* s = source_values.data();
  return t.base + t.weight[0] * s[t.source[0]] + t.weight[1] * s[t.source[1]];
}

Outcome Plan::fill(const When& when) {
  if (const Outcome outcome = check(); outcome != Outcome::done) return outcome;
  if (evaluate(when) == Outcome::failed) return Outcome::failed;
  std::transform(targets.begin(), targets.end(), values.mutable_data(),
                 [this](const Target& target) { return value(target); });
  return Outcome::done;
}

// Of the groups' own keys a few groups are looked at in each step, in turn: all where there are
// few.
Outcome Plan::check() {
  static PyObject* const param_groups = PyUnicode_InternFromString("param_groups");
  const auto groups_now =
      py::reinterpret_steal<py::object>(PyObject_GetAttr(optimizer.ptr(), param_groups));
  if (!groups_now) return Outcome::failed;
  if (!same(groups_now.ptr(), groups)) return Outcome::stale;
  for (const Watched& watched : lists) {
    if (!same(watched.list.ptr(), watched.elements)) return Outcome::stale;
  }
  constexpr std::size_t kChecked = 8;
  const std::size_t n = keys.empty() ? 0 : std::min(kChecked, groups.size());
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t group = next_group;
    next_group = group + 1 == groups.size() ? 0 : group + 1;
    const py::object* before = key_values.data() + group * keys.size();
    for (const py::object& key : keys) {
      if (PyDict_GetItemWithError(groups[group].ptr(), key.ptr()) != before++->ptr()) {
        return PyErr_Occurred() ? Outcome::failed : Outcome::stale;
      }
    }
  }
  return Outcome::done;
}

Outcome Plan::write(const When& when) {
  if (const Outcome outcome = check(); outcome != Outcome::done) return outcome;
  if (evaluate(when) == Outcome::failed) return Outcome::failed;
  double* written = values.mutable_data();
  const Target* target = targets.data();
  for (const py::object& group : groups) {
    for (const Column& column : columns) {
      *written = value(*target);
      if (target->kind != Kind::none) {
        const Outcome outcome = put(group.ptr(), column, *target, *written);
        if (outcome != Outcome::done) return outcome;
      }
      ++target;
      ++written;
    }
  }
  if (!finish.is_none() && !py::reinterpret_steal<py::object>(PyObject_CallNoArgs(finish.ptr()))) {
    return Outcome::failed;
  }
  return Outcome::done;
}

int Plan::traverse(visitproc visit, void* arg) const {
  const auto each = [&](const std::vector<py::object>& objects) {
    for (const py::object& object : objects) Py_VISIT(object.ptr());
    return 0;
  };
  for (const py::object* object : {&optimizer, &finish, &keep}) Py_VISIT(object->ptr());
  for (const Source& source : sources) Py_VISIT(source.callable.ptr());
  for (const Watched& watched : lists) {
    Py_VISIT(watched.list.ptr());
    if (const int result = each(watched.elements)) return result;
  }
  if (const int result = each(groups)) return result;
  return each(key_values);
}

// optimizer, columns, sources, targets, lists, keys, finish, values, keep, restarts, limit
std::unique_ptr<Plan> plan_from(const py::args& arguments, py::handle schedule_type) {
  auto plan = std::make_unique<Plan>();
  plan->optimizer = arguments[0];
  plan->groups = elements_of(plan->optimizer.attr("param_groups"));
  for (const py::object& group : plan->groups) py::cast<py::dict>(group);
  for (py::handle column : arguments[1]) {
    const auto c = py::cast<py::tuple>(column);
    PyObject* key = py::cast<py::str>(c[0]).release().ptr();
    PyUnicode_InternInPlace(&key);
    plan->columns.push_back({py::reinterpret_steal<py::object>(key), c[1].cast<Py_ssize_t>()});
  }
  for (py::handle source : arguments[2]) {
    const bool schedule = py::isinstance(source, schedule_type);
    plan->sources.push_back({py::reinterpret_borrow<py::object>(source),
                             schedule ? &schedule_of(source)->evaluator() : nullptr});
  }
  plan->source_values.resize(std::max<std::size_t>(plan->sources.size(), 1));
  for (py::handle target : arguments[3]) {
    plan->targets.push_back(target_from(target, plan->sources.size()));
  }
  for (py::handle list : arguments[4]) {
    plan->lists.push_back({py::reinterpret_borrow<py::object>(list), elements_of(list)});
  }
  plan->keys = elements_of(arguments[5]);
  for (const py::object& group : plan->groups) {
    for (const py::object& key : plan->keys) {
      plan->key_values.push_back(
          py::reinterpret_borrow<py::object>(PyDict_GetItemWithError(group.ptr(), key.ptr())));
    }
  }
  plan->finish = arguments[6];
  plan->values = py::cast<py::array_t<double>>(arguments[7]);
  plan->keep = arguments[8];
  plan->restarts = arguments[9].cast<bool>();
  plan->limit = arguments[10].cast<std::int64_t>();
  const std::size_t targets = plan->groups.size() * plan->columns.size();
  if (plan->targets.size() != targets || plan->values.size() != static_cast<py::ssize_t>(targets)) {
    throw std::invalid_argument("a plan needs a target and a value for each column of each group");
  }
  Target* target = plan->targets.data();
  for (const py::object& group : plan->groups) {
    for (const Column& column : plan->columns) {
      locate(group.ptr(), column.key.ptr(), target++, &plan->group_keys);
    }
  }
  return plan;
}

}  // namespace clrfast
