// What a learning-rate scheduler writes into the parameter groups of an optimizer in one step.
#pragma once

#include <memory>
#include <vector>

#include "bindings/schedule_type.hpp"

namespace clrfast {

enum class Kind : std::uint8_t {
  none,     // the group is left alone
  number,   // a Python number, which is replaced
  float32,  // a tensor in host memory, which is written to
  float64,
  staged,  // any other tensor: `finish` writes to it
};

// value = base + weight[0] * source[0] + weight[1] * source[1]
struct Target {
  double base;
  double weight[2];
  std::uint32_t source[2];
  Kind kind;
  PyObject* tensor;     // what was there when the plan was made; `keep` holds it,
  void* memory;         // and the memory of a tensor on the host
  PyObject* key;        // in the group; the plan holds it,
  Py_ssize_t position;  // and where it was in the dictionary
};

struct Column {
  py::object key;
  Py_ssize_t slot;  // the element of a tuple, as in betas, or -1
};

struct Source {
  py::object callable;
  const Evaluator* evaluator;  // null for what is not a Schedule
};

// A list that the plan was made from, and what it held then.
struct Watched {
  py::object list;
  std::vector<py::object> elements;
};

// A step as a schedule takes it.
struct When {
  bool whole;
  std::int64_t step;
  double fraction;
};

enum class Outcome : std::uint8_t {
  done,
  stale,   // the plan no longer fits; what was written is overwritten with the next plan
  failed,  // a Python error is set
};

struct Plan {
  py::object optimizer;
  std::vector<py::object> groups;
  std::vector<Column> columns;
  std::vector<Source> sources;
  std::vector<Target> targets;  // all columns of the first group, of the second, ...
  std::vector<Watched> lists;
  std::vector<py::object> keys;        // of the groups, which the plan was made from,
  std::vector<py::object> key_values;  // what they held (null for nothing), group by group,
  std::size_t next_group = 0;          // and the group that is looked at next
  py::object finish;                   // called after each step, or None
  std::vector<py::object> group_keys;  // of the targets
  py::array_t<double> values;          // of all targets, filled in each step
  py::object keep;
  bool restarts = false;   // counts T_cur and T_i, not steps
  std::int64_t limit = 0;  // the last step that may be taken
  std::vector<double> source_values;

  // Fills `values`.
  Outcome fill(const When& when);
  // Writes all values into the optimizer.
  Outcome write(const When& when);

  int traverse(visitproc visit, void* arg) const;

 private:
  // Whether what the plan was made from is still there.
  Outcome check();
  // Fills `source_values`.
  Outcome evaluate(const When& when);
  double value(const Target& target) const;
};

// The plan from the arguments of Stepper._prepare.
std::unique_ptr<Plan> plan_from(const py::args& arguments, py::handle schedule_type);

}  // namespace clrfast
