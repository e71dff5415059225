// Carrying out a plan: each curve is evaluated once, and what the groups make of it is put where it
// belongs. Written against CPython itself: the floor of a step is a look-up in a dictionary and the
// replacement there, for each group.
#include "bindings/step_plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace clrfast {

namespace {

Outcome call(PyObject* callable, const When& when, double* out) {
  const auto step = py::reinterpret_steal<py::object>(
      when.whole ? PyLong_FromLongLong(when.step) : PyFloat_FromDouble(when.fraction));
  if (!step) return Outcome::failed;
  const auto result = py::reinterpret_steal<py::object>(PyObject_CallOneArg(callable, step.ptr()));
  if (!result) return Outcome::failed;
  *out = PyFloat_AsDouble(result.ptr());
  if (*out == -1.0 && PyErr_Occurred()) return Outcome::failed;
  if (std::isfinite(*out)) return Outcome::done;
  PyErr_Format(PyExc_ValueError, "a schedule must return finite numbers, got %R at step %R",
               result.ptr(), step.ptr());
  return Outcome::failed;
}

// What a group holds under a key, or null: an error is then set, or there is nothing.
py::object look_up(PyObject* group, PyObject* key) {
  return py::reinterpret_borrow<py::object>(PyDict_GetItemWithError(group, key));
}

py::object with_element(PyObject* tuple, Py_ssize_t index, const py::object& element) {
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  auto copy = py::reinterpret_steal<py::object>(PyTuple_New(n));
  for (Py_ssize_t i = 0; copy && i < n; ++i) {
    PyObject* item = i == index ? element.ptr() : PyTuple_GET_ITEM(tuple, i);
    Py_INCREF(item);
    PyTuple_SET_ITEM(copy.ptr(), i, item);
  }
  return copy;
}

bool same(PyObject* list, const std::vector<py::object>& elements) {
  if (!PyList_CheckExact(list)) return false;
  const auto n = static_cast<std::size_t>(PyList_GET_SIZE(list));
  static_assert(sizeof(py::object) == sizeof(PyObject*), "both are arrays of pointers");
  const auto* now = static_cast<const void*>(PySequence_Fast_ITEMS(list));
  const auto* before = static_cast<const void*>(elements.data());
  return n == elements.size() && (n == 0 || std::memcmp(now, before, n * sizeof(PyObject*)) == 0);
}

}  // namespace

// What was put in a place last: most groups get the same value as the one before, and share it.
struct StepPlan::Latest {
  double value = 0.0;
  py::object number;  // null at first
  py::object tuple;   // likewise, of a place in a tuple
};

namespace {

// Whether two tuples differ in nothing but that element.
bool alike_but_for(Py_ssize_t element, PyObject* tuple, PyObject* other) {
  const Py_ssize_t n = PyTuple_GET_SIZE(tuple);
  if (n != PyTuple_GET_SIZE(other)) return false;
  for (Py_ssize_t i = 0; i < n; ++i) {
    if (i != element && PyTuple_GET_ITEM(tuple, i) != PyTuple_GET_ITEM(other, i)) return false;
  }
  return true;
}

// `whole` is what the group holds, and `current` is it or its element.
Outcome put_number(PyObject* group, const Place& place, const py::object& whole, PyObject* current,
                   double value, StepPlan::Latest& latest) {
  if (!PyFloat_Check(current) && !PyLong_Check(current)) return Outcome::stale;
  if (!latest.number || latest.value != value) {
    latest = {value, py::reinterpret_steal<py::object>(PyFloat_FromDouble(value)), {}};
    if (!latest.number) return Outcome::failed;
  }
  if (place.element >= 0 &&
      !(latest.tuple && alike_but_for(place.element, latest.tuple.ptr(), whole.ptr()))) {
    latest.tuple = with_element(whole.ptr(), place.element, latest.number);
    if (!latest.tuple) return Outcome::failed;
  }
  const py::object& put = place.element >= 0 ? latest.tuple : latest.number;
  return PyDict_SetItem(group, place.key.ptr(), put.ptr()) < 0 ? Outcome::failed : Outcome::done;
}

}  // namespace

Outcome StepPlan::evaluate(const When& when) {
  curve_values_.resize(std::max<std::size_t>(curves.size(), 1));
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const Evaluator* evaluator = curves[i].evaluator;
    if (evaluator != nullptr) {
      curve_values_[i] = when.whole ? evaluator->at(when.step) : evaluator->at(when.fraction);
    } else if (call(curves[i].callable.ptr(), when, &curve_values_[i]) != Outcome::done) {
      return Outcome::failed;
    }
  }
  return Outcome::done;
}

double StepPlan::value_of(const Target& t) const {
  return t.base + t.weight[0] * curve_values_[t.curve[0]] + t.weight[1] * curve_values_[t.curve[1]];
}

// Whether what the plan was made from is still there.
Outcome StepPlan::check() {
  static PyObject* const param_groups = PyUnicode_InternFromString("param_groups");
  const auto groups_now =
      py::reinterpret_steal<py::object>(PyObject_GetAttr(optimizer.ptr(), param_groups));
  if (!groups_now) return Outcome::failed;
  if (!same(groups_now.ptr(), groups)) return Outcome::stale;
  for (const WatchedList& watched : lists) {
    if (!same(watched.list.ptr(), watched.elements)) return Outcome::stale;
  }
  return check_keys();
}

// A few groups are looked at in each step, in turn: all where there are few.
Outcome StepPlan::check_keys() {
  constexpr std::size_t kChecked = 8;
  const std::size_t n = group_keys.empty() ? 0 : std::min(kChecked, groups.size());
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t group = next_group_;
    next_group_ = group + 1 == groups.size() ? 0 : group + 1;
    const py::object* before = key_values.data() + group * group_keys.size();
    for (const py::object& key : group_keys) {
      const py::object now = look_up(groups[group].ptr(), key.ptr());
      if (now.ptr() != before++->ptr()) return PyErr_Occurred() ? Outcome::failed : Outcome::stale;
    }
  }
  return Outcome::done;
}

Outcome StepPlan::put(PyObject* group, const Place& place, const Target& target, double value,
                      Latest& latest) const {
  if (target.held == Held::untouched) return Outcome::done;
  const py::object whole = look_up(group, place.key.ptr());
  if (!whole) return PyErr_Occurred() ? Outcome::failed : Outcome::stale;
  PyObject* current = whole.ptr();
  if (place.element >= 0) {
    if (!PyTuple_CheckExact(current) || place.element >= PyTuple_GET_SIZE(current)) {
      return Outcome::stale;
    }
    current = PyTuple_GET_ITEM(current, place.element);  // `whole` holds it
  }
  if (target.held == Held::number) return put_number(group, place, whole, current, value, latest);
  if (current != target.tensor.ptr()) return Outcome::stale;
  return target.held == Held::host_tensor ? tensors->write(current, value) : Outcome::done;
}

Outcome StepPlan::fill(const When& when) {
  if (const Outcome outcome = check(); outcome != Outcome::done) return outcome;
  if (evaluate(when) == Outcome::failed) return Outcome::failed;
  std::transform(targets.begin(), targets.end(), values.mutable_data(),
                 [this](const Target& target) { return value_of(target); });
  return Outcome::done;
}

Outcome StepPlan::write(const When& when) {
  if (const Outcome outcome = fill(when); outcome != Outcome::done) return outcome;
  if (tensors) {
    if (const Outcome outcome = tensors->check(); outcome != Outcome::done) return outcome;
  }
  std::vector<Latest> latest(places.size());
  const double* value = values.data();
  const Target* target = targets.data();
  for (const py::object& group : groups) {
    for (std::size_t i = 0; i < places.size(); ++i) {
      const Outcome outcome = put(group.ptr(), places[i], *target++, *value++, latest[i]);
      if (outcome != Outcome::done) return outcome;
    }
  }
  if (!after.is_none() && !py::reinterpret_steal<py::object>(PyObject_CallNoArgs(after.ptr()))) {
    return Outcome::failed;
  }
  return Outcome::done;
}

int StepPlan::traverse(visitproc visit, void* arg) const {
  const auto each = [&](const std::vector<py::object>& objects) {
    for (const py::object& object : objects) Py_VISIT(object.ptr());
    return 0;
  };
  for (const py::object* object : {&optimizer, &after}) Py_VISIT(object->ptr());
  for (const PlannedCurve& curve : curves) Py_VISIT(curve.callable.ptr());
  for (const Target& target : targets) Py_VISIT(target.tensor.ptr());
  for (const WatchedList& watched : lists) {
    Py_VISIT(watched.list.ptr());
    if (const int result = each(watched.elements)) return result;
  }
  if (const int result = each(groups)) return result;
  return each(key_values);
}

}  // namespace clrfast
