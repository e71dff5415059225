#include "bindings/step_counts.hpp"

#include <limits>

namespace clrfast {

namespace {

PyObject* interned(const char* name) { return PyUnicode_InternFromString(name); }

struct Names {
  PyObject* last_epoch = interned("last_epoch");
  PyObject* step_count = interned("_step_count");
  PyObject* t_cur = interned("T_cur");
  PyObject* t_i = interned("T_i");
  PyObject* t_mult = interned("T_mult");
};

const Names& names() {
  static const Names all;
  return all;
}

// The exact Python int from 0 to 2**63 - 1 under that name, or -1.
std::int64_t count_in(PyObject* attributes, PyObject* name) {
  PyObject* value = PyDict_GetItemWithError(attributes, name);
  if (value != nullptr) return whole_step(value);
  PyErr_Clear();
  return -1;
}

bool set(PyObject* attributes, PyObject* name, std::int64_t count) {
  if (count < 0) return true;
  const auto number = py::reinterpret_steal<py::object>(PyLong_FromLongLong(count));
  return number && PyDict_SetItem(attributes, name, number.ptr()) == 0;
}

}  // namespace

std::optional<StepCounts> next_counts(PyObject* attributes, bool counts_restarts) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::int64_t last = count_in(attributes, names().last_epoch);
  if (last < 0 || last == kMost) return std::nullopt;
  const std::int64_t step = last + 1;
  if (!counts_restarts) {
    const std::int64_t count = count_in(attributes, names().step_count);
    if (count < 2 || count == kMost) return std::nullopt;
    return StepCounts{step, count + 1, -1, -1, {true, step, 0.0}};
  }
  std::int64_t position = count_in(attributes, names().t_cur);
  std::int64_t length = count_in(attributes, names().t_i);
  const std::int64_t mult = count_in(attributes, names().t_mult);
  if (position < 0 || position == kMost || length <= 0 || mult <= 0) return std::nullopt;
  if (++position >= length) {
    if (length > kMost / mult) return std::nullopt;
    position %= length;
    length *= mult;
  }
  const double fraction = static_cast<double>(position) / static_cast<double>(length);
  return StepCounts{step, -1, position, length, {false, 0, fraction}};
}

bool store(PyObject* attributes, const StepCounts& counts) {
  return set(attributes, names().step_count, counts.step_count) &&
         set(attributes, names().t_cur, counts.t_cur) && set(attributes, names().t_i, counts.t_i) &&
         set(attributes, names().last_epoch, counts.last_epoch);
}

}  // namespace clrfast
