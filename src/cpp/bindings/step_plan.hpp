// The plan of a step: which values a learning-rate scheduler writes, and where.
//
// An optimizer keeps its hyperparameters in `param_groups`, a list of dictionaries. A scheduler
// drives some of them: the rate under "lr", say, and the first element of the tuple under "betas".
// Each is mixed from a few curves, which many groups share. The class Driven in
// lr_scheduler/_driven.py describes all that once, in the Plan of lr_scheduler/_plan.py; read from
// there, it is carried out in each step with no work but the step's own, until what it was made
// from changes. Then it is stale, and Python makes another one.
//
// Python code may run in the middle of a step: functions that are curves, the finalizer of a value
// that is replaced. It may drop the plan, or clear a group. So a plan never changes once it is
// read but for its values, whoever carries one out holds it, and what is found in a group is owned
// while it is used.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "bindings/host_tensor.hpp"
#include "bindings/outcome.hpp"
#include "bindings/schedule_type.hpp"

namespace clrfast {

// Where a hyperparameter is in each group.
struct Place {
  py::object key;
  Py_ssize_t element;  // of the tuple under the key, as in betas; -1 for the value itself
};

// What a group holds there, and so how it is written.
enum class Held : std::uint8_t {
  untouched,      // whatever it is, it is left alone
  number,         // a Python number, which is replaced
  host_tensor,    // a tensor in host memory, which is written to
  staged_tensor,  // any other tensor, which `after` writes to
};

// One hyperparameter of one group: base + weight[0] * curve[0] + weight[1] * curve[1].
struct Target {
  Held held = Held::untouched;
  double base = 0.0;
  double weight[2] = {0.0, 0.0};
  std::size_t curve[2] = {0, 0};
  py::object tensor;  // which was there when the plan was made, or null
};

struct PlannedCurve {
  py::object callable;
  const Evaluator* evaluator;  // of a Schedule; null for any other function of the step
};

// A list that the plan was made from, and what it held then.
struct WatchedList {
  py::object list;
  std::vector<py::object> elements;
};

// What curves are evaluated at: a whole step, or the fraction of one.
struct When {
  bool whole;
  std::int64_t step;
  double fraction;
};

struct StepPlan {
  struct Latest;

  py::object optimizer;
  std::vector<py::object> groups;
  std::vector<Place> places;
  std::vector<PlannedCurve> curves;
  std::vector<Target> targets;  // all places of the first group, of the second, ...
  std::vector<WatchedList> lists;
  std::vector<py::object> group_keys;  // further keys of the groups that it was made from,
  std::vector<py::object> key_values;  // what they held (null for nothing), group by group
  py::array_t<double> values;          // of all targets, in their order, filled in each step
  py::object after;                    // called once they are, or None
  bool counts_restarts = false;        // whether a step counts T_cur and T_i on
  std::int64_t last_step = 0;          // beyond it no step is taken
  std::optional<HostTensors> tensors;  // where there are any in host memory

  // Fills `values`.
  Outcome fill(const When& when);
  // Writes all values into the optimizer.
  Outcome write(const When& when);

  int traverse(visitproc visit, void* arg) const;

 private:
  std::vector<double> curve_values_;
  std::size_t next_group_ = 0;  // whose keys are looked at next

  Outcome check();
  Outcome check_keys();
  Outcome evaluate(const When& when);
  double value_of(const Target& target) const;
  Outcome put(PyObject* group, const Place& place, const Target& target, double value,
              Latest& latest) const;
};

// Reads the Plan that Python made; `schedule_type` is the type of a Schedule.
std::unique_ptr<StepPlan> read_step_plan(py::handle plan, py::handle schedule_type);

}  // namespace clrfast
