// clrfast.schedule(step, base_lr=..., ...): one value without making a Schedule first. It is called
// with keywords inside training loops, so it reads them straight from the call, by the identity of
// their interned names, and evaluates on the stack.
#include <array>
#include <cmath>

#include "bindings/schedule_type.hpp"
#include "schedule/cyclic.hpp"

namespace clrfast {

void bind_schedule_parts(py::module_& m);
void bind_schedule_type(py::module_& m);

namespace {

enum Argument { kBaseLr, kMaxLr, kStepSizeUp, kStepSizeDown, kMode, kGamma, kArguments };
constexpr std::array<const char*, kArguments> kNames{"base_lr",        "max_lr", "step_size_up",
                                                     "step_size_down", "mode",   "gamma"};
std::array<PyObject*, kArguments> names;  // interned, made once by bind_schedule

struct Mode {
  const char* name;
  Shape shape;
  Per per;
};
constexpr std::array<Mode, 6> kModes{{{"triangular", Shape::linear, Per::none},
                                      {"triangular2", Shape::linear, Per::cycle},
                                      {"exp_range", Shape::linear, Per::step},
                                      {"welch", Shape::welch, Per::none},
                                      {"hann", Shape::cosine, Per::none},
                                      {"sawtooth", Shape::linear, Per::none}}};
std::array<PyObject*, kModes.size()> mode_names;

[[noreturn]] void refuse(Argument argument, const char* allowed, PyObject* value) {
  throw py::value_error(std::string(kNames[argument]) + " must be " + allowed + ", got " +
                        py::repr(value).cast<std::string>());
}

double number(Argument argument, PyObject* value) {
  if (PyFloat_CheckExact(value)) return PyFloat_AS_DOUBLE(value);
  if (const std::int64_t whole = whole_step(value); whole >= 0) return static_cast<double>(whole);
  const double result = PyFloat_AsDouble(value);
  if (result == -1.0 && PyErr_Occurred()) {
    PyErr_Clear();
    throw py::type_error(std::string(kNames[argument]) + " must be a number, got " +
                         py::repr(value).cast<std::string>());
  }
  return result;
}

// `likely` is where the caller's order suggests to look first.
std::size_t argument_named(PyObject* name, std::size_t likely) {
  if (likely < names.size() && name == names[likely]) return likely;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return i;
  }
  for (std::size_t i = 0; i < names.size(); ++i) {  // a name built at run time need not be interned
    if (PyUnicode_Compare(name, names[i]) == 0) return i;
  }
  throw py::type_error("schedule() got an unexpected keyword argument " +
                       py::repr(name).cast<std::string>());
}

const Mode& mode_named(PyObject* name) {
  for (std::size_t i = 0; i < kModes.size(); ++i) {
    if (name == mode_names[i]) return kModes[i];
  }
  if (PyUnicode_Check(name)) {
    for (std::size_t i = 0; i < kModes.size(); ++i) {
      if (PyUnicode_Compare(name, mode_names[i]) == 0) return kModes[i];
    }
  }
  refuse(kMode, "one of triangular, triangular2, exp_range, welch, hann, sawtooth", name);
}

Cyclic cyclic_from(const std::array<PyObject*, kArguments>& given) {
  for (Argument required : {kBaseLr, kMaxLr, kStepSizeUp}) {
    if (given[required] == nullptr) {
      throw py::type_error("schedule() misses the keyword argument '" +
                           std::string(kNames[required]) + "'");
    }
  }
  const Mode& mode = given[kMode] == nullptr ? kModes[0] : mode_named(given[kMode]);
  Cyclic c{number(kBaseLr, given[kBaseLr]),
           number(kMaxLr, given[kMaxLr]),
           number(kStepSizeUp, given[kStepSizeUp]),
           0.0,
           mode.shape,
           mode.per,
           1.0};
  if (!(c.base_lr >= 0.0 && std::isfinite(c.base_lr))) {
    refuse(kBaseLr, ">= 0 and finite", given[kBaseLr]);
  }
  if (!(c.max_lr >= c.base_lr && std::isfinite(c.max_lr))) {
    refuse(kMaxLr, "finite and at least base_lr", given[kMaxLr]);
  }
  constexpr double kLongest = 4503599627370496.0;  // 2^52: a whole cycle then has exact steps
  if (!(c.step_size_up > 0.0 && c.step_size_up <= kLongest)) {
    refuse(kStepSizeUp, "> 0 and at most 2**52", given[kStepSizeUp]);
  }
  const bool sawtooth = &mode == &kModes[5];
  c.step_size_down = sawtooth ? 0.0 : c.step_size_up;
  if (given[kStepSizeDown] != nullptr && given[kStepSizeDown] != Py_None) {
    if (sawtooth) refuse(kStepSizeDown, "None in mode sawtooth", given[kStepSizeDown]);
    c.step_size_down = number(kStepSizeDown, given[kStepSizeDown]);
    if (!(c.step_size_down > 0.0 && c.step_size_down <= kLongest)) {
      refuse(kStepSizeDown, "None, or > 0 and at most 2**52", given[kStepSizeDown]);
    }
  }
  if (given[kGamma] != nullptr) {
    c.gamma = number(kGamma, given[kGamma]);
    if (!(c.gamma > 0.0 && c.gamma <= 1.0)) refuse(kGamma, "> 0 and at most 1", given[kGamma]);
  }
  if (mode.per == Per::cycle) c.gamma = 0.5;
  if (c.period().hi < 0x1p-20) refuse(kStepSizeUp, "at least 2**-20", given[kStepSizeUp]);
  return c;
}

PyObject* schedule(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  return guarded([&]() -> PyObject* {
    std::array<PyObject*, kArguments> given{};
    PyObject* step = nargs == 1 ? args[0] : nullptr;
    const Py_ssize_t keywords = kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames);
    for (Py_ssize_t i = 0; i < keywords; ++i) {
      PyObject* name = PyTuple_GET_ITEM(kwnames, i);
      if (step == nullptr && nargs == 0 && PyUnicode_CompareWithASCIIString(name, "step") == 0) {
        step = args[i];
      } else {
        given[argument_named(name, static_cast<std::size_t>(i))] = args[nargs + i];
      }
    }
    if (step == nullptr) {
      throw py::type_error(
          "schedule() takes one positional argument, the step; all others by name");
    }
    const Cyclic cyclic = cyclic_from(given);
    if (const std::int64_t whole = whole_step(step); whole >= 0) {
      return PyFloat_FromDouble(cyclic_at(cyclic, whole));
    }
    return with_cyclic(cyclic, [&](const Evaluator& evaluator) {
      return values_at(evaluator, step).release().ptr();
    });
  });
}

constexpr const char* kDoc =
    "schedule(step, *, base_lr, max_lr, step_size_up, step_size_down=None, mode='triangular', "
    "gamma=1.0)\n"
    "--\n\n"
    "The learning rate of a cyclical schedule at a step.\n\n"
    "Matches the formula of Smith, 'Cyclical Learning Rates for Training Neural Networks'\n"
    "(arXiv:1506.01186, section 3.2), evaluated in exact cycle arithmetic: ``cycle = floor(1 + "
    "step /\n"
    "(2 * step_size_up))``, ``x = abs(step / step_size_up - 2 * cycle + 1)``, ``base_lr + (max_lr "
    "- "
    "base_lr) *\n"
    "max(0, 1 - x)``.\n\n"
    "Args:\n"
    "    step: An int, a float (a fraction of a step) or an array of either, each >= 0 and below "
    "2**63.\n"
    "    base_lr: The lowest rate, >= 0.\n"
    "    max_lr: The highest rate, >= base_lr.\n"
    "    step_size_up: Steps from base_lr to max_lr, > 0 (the paper's stepsize, half a cycle).\n"
    "    step_size_down: Steps from max_lr back to base_lr; None means step_size_up.\n"
    "    mode: 'triangular'; 'triangular2' (the amplitude halves each cycle); 'exp_range' (it "
    "shrinks by\n"
    "        gamma each step); 'welch' (a parabola); 'hann' (a raised cosine); 'sawtooth' (drops "
    "at once).\n"
    "    gamma: The factor of 'exp_range', > 0 and <= 1; the other modes do not use it.\n\n"
    "Returns:\n"
    "    A float, or a float64 array of the shape of step.\n\n"
    "Raises:\n"
    "    ValueError: A value is out of its range; the message names it.\n"
    "    TypeError: An argument is missing, unknown or not a number.\n\n"
    ">>> round(schedule(500, base_lr=0.001, max_lr=0.006, step_size_up=2000), 5)\n"
    "0.00225\n";

PyMethodDef definition = {"schedule",
                          reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(schedule)),
                          METH_FASTCALL | METH_KEYWORDS, kDoc};

}  // namespace

void bind_schedule(py::module_& m) {
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = PyUnicode_InternFromString(kNames[i]);
  for (std::size_t i = 0; i < kModes.size(); ++i) {
    mode_names[i] = PyUnicode_InternFromString(kModes[i].name);
  }
  const py::str module = "clrfast";
  m.attr("schedule") =
      py::reinterpret_steal<py::object>(PyCFunction_NewEx(&definition, nullptr, module.ptr()));
  bind_schedule_type(m);
  bind_schedule_parts(m);
}

}  // namespace clrfast
